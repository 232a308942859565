/* What many small files hold: several threads read them, for opening takes longer than reading. */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef O_NOATIME
#define O_NOATIME 0
#endif

typedef struct {
    const char **paths;
    size_t count, most;
    Content *found;
    atomic_size_t next;
} Many;

static int begin(const char *path) {
    int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, fd = open(path, flags | O_NOATIME);
    return fd < 0 && errno == EPERM ? open(path, flags) : fd;
}

/* All of a plain file; nothing of one that is longer than wanted, or than it was a moment ago. */
static void read_all(int fd, size_t most, Content *to) {
    struct stat seen;
    if (fstat(fd, &seen) || !S_ISREG(seen.st_mode) || seen.st_size < 0 || (uint64_t)seen.st_size > most) return;
    size_t size = (size_t)seen.st_size, got = 0;
    unsigned char *data = malloc(size + 1);
    if (!data) return;
    for (ssize_t part; got <= size && (part = read(fd, data + got, size + 1 - got)) > 0;) got += (size_t)part;
    if (got == size) *to = (Content){data, size};
    else free(data);
}

static void *read_some(void *of) {
    Many *m = of;
    for (size_t i; (i = atomic_fetch_add(&m->next, 1)) < m->count;) {
        int fd = begin(m->paths[i]);
        if (fd < 0) continue;
        read_all(fd, m->most, &m->found[i]);
        close(fd);
    }
    return NULL;
}

void read_many(const char **paths, size_t count, size_t most, int threads, Content *found) {
    Many m = {.paths = paths, .count = count, .most = most, .found = found};
    pthread_t others[16];
    int running = 0, wanted = threads < 17 ? threads - 1 : 16;
    while (running < wanted && (size_t)running + 1 < count && !pthread_create(&others[running], NULL, read_some, &m)) running++;
    read_some(&m);
    for (int i = 0; i < running; i++) pthread_join(others[i], NULL);
}
