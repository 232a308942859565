/* Many small files as they lie on their disk: where each begins, and what it holds when the disk itself is asked. */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#endif

#define AHEAD 32   /* files that the disk is asked for before the first of them is read */

static int64_t nanoseconds(struct timespec when) { return (int64_t)when.tv_sec * 1000000000 + when.tv_nsec; }

static bool look(int fd, Anew *to) {
    struct stat s;
    if (fstat(fd, &s)) { to->error = errno; return false; }
    if (!S_ISREG(s.st_mode)) { to->error = EINVAL; return false; }
#ifdef __APPLE__
    struct timespec changed = s.st_ctimespec, written = s.st_mtimespec;
#else
    struct timespec changed = s.st_ctim, written = s.st_mtim;
#endif
    to->device = (uint64_t)s.st_dev; to->inode = s.st_ino; to->size = (uint64_t)s.st_size;
    to->mtime = nanoseconds(written); to->ctime = nanoseconds(changed);
    return true;
}

/* ---- what they hold ---- */

/* Opens a file, lets the system forget what it remembers of it, and asks the disk for it. */
static int ask(const char *path, size_t most, Anew *to) {
    int fd = open_without_trace(path, O_NOFOLLOW);
    if (fd < 0) { to->error = errno; return -1; }
    if (look(fd, to)) {
#ifdef POSIX_FADV_DONTNEED
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        posix_fadvise(fd, 0, (off_t)most, POSIX_FADV_WILLNEED);
#endif
        if (to->size > most) to->error = EFBIG;
    }
    if (!to->error) return fd;
    close(fd);
    return -1;
}

static void take(int fd, Anew *to) {
    size_t got = 0;
    ssize_t part = 0;
    Anew after = {0};
    to->data = malloc(to->size + 1);
    if (!to->data) { to->error = ENOMEM; return; }
    while (got <= to->size && (part = read(fd, to->data + got, to->size + 1 - got)) > 0) got += (size_t)part;
    if (part < 0) to->error = errno;
    else if (!look(fd, &after)) to->error = after.error;
    else if (got != to->size || after.size != to->size || after.mtime != to->mtime || after.ctime != to->ctime) to->error = ESTALE;
}

void read_anew(const char **paths, size_t count, size_t most, Anew *found) {
    int fds[AHEAD];
    for (size_t i = 0; i < count + AHEAD; i++) {
        int *fd = &fds[i % AHEAD];
        if (i >= AHEAD && i - AHEAD < count && *fd >= 0) { take(*fd, &found[i - AHEAD]); close(*fd); }
        if (i < count) *fd = ask(paths[i], most, &found[i]);
    }
}

/* ---- where they lie ---- */

static uint64_t first_place(int fd) {
#ifdef __linux__
    struct { struct fiemap head; struct fiemap_extent extent; } map = {.head = {.fm_length = 1, .fm_extent_count = 1}};
    if (!ioctl(fd, FS_IOC_FIEMAP, &map.head) && map.head.fm_mapped_extents) return map.extent.fe_physical;
#else
    (void)fd;
#endif
    return 0;
}

typedef struct { const char **paths; Place *found; } Places;

static void place(void *of, size_t i) {
    Places *p = of;
    Anew seen = {0};
    int fd = open_without_trace(p->paths[i], O_NOFOLLOW);
    if (fd < 0) return;
    if (look(fd, &seen)) p->found[i] = (Place){seen.device, first_place(fd)};
    close(fd);
}

void places(const char **paths, size_t count, int threads, Place *found) {
    Places p = {paths, found};
    for_each(count, threads, place, &p);
}
