/* One pass over the disk by several threads: folders are listed in large blocks, entries are stat-ed relative
   to their folder's descriptor, and an inode already known under another name is not stat-ed again. */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#endif

#ifndef O_NOATIME
#define O_NOATIME 0
#endif
#ifdef O_PATH
#define REACH (O_PATH | O_DIRECTORY | O_CLOEXEC)
#else
#define REACH (O_RDONLY | O_DIRECTORY | O_CLOEXEC)
#endif
#define BUFFER 65536
#define HAND_OVER 8192   /* a block of names worth giving to an idle thread */
#define FILE_BLOCK 256
#define THREAD_OPENS 4   /* descriptors that a thread may hold at once besides its parents' */

/* A directory record as getdents64 lays it out; the portable back end writes the same. */
typedef struct {
    uint64_t inode;
    int64_t offset;
    uint16_t length;
    uint8_t type;
    char name[];
} Record;

/* An open folder, kept while entries or folders below still need its descriptor. */
typedef struct { atomic_int users; int fd; uint32_t folder; uint16_t device; } Handle;

typedef struct { Handle *via; uint32_t folder; char *block; uint32_t length; } Job;
typedef struct { Job *jobs; size_t count, room; } Stack;

/* A set of markers, a bit each. */
#define MARKER_WORDS 4
typedef struct { uint64_t word[MARKER_WORDS]; } MarkerSet;

struct Walk {
    Tree *tree;
    const WalkOptions *options;
    pthread_mutex_t lock;
    pthread_cond_t work, over;
    Stack stack, later;
    size_t next_root;
    atomic_int idle;
    int running;
    bool done;
    atomic_bool stop, covered;   /* covered: a mount gave some file a second name */
    atomic_int open_folders;
    int open_limit, error;
    _Atomic uint32_t current;
    _Atomic uint64_t bytes, stat_calls;
    MarkerSet by_first[256], by_last[256];   /* markers that a name with this first or last character may fit */
    pthread_t *threads;
};

typedef struct {
    Walk *walk;
    Stack found;                 /* folders seen in the block under way */
    uint32_t file_row, file_end; /* rows taken and not used yet */
    uint32_t arena, arena_used;
    uint64_t bytes, stat_calls;
    char buffer[BUFFER] __attribute__((aligned(8)));
} Worker;

/* ---- the two back ends ---- */

/* Nanoseconds since 1970; times beyond the years 1677 to 2262 stay at the nearest that fits. */
static int64_t nanoseconds(int64_t seconds, int64_t rest) {
    if (seconds > INT64_MAX / 1000000000 - 1) return INT64_MAX;
    if (seconds < INT64_MIN / 1000000000 + 1) return INT64_MIN + 1;
    return seconds * 1000000000 + rest;
}

#ifdef __linux__
static bool stat_linux(int fd, const char *name, int flags, Stat *out) {
    struct statx s;
    unsigned mask = STATX_TYPE | STATX_MODE | STATX_NLINK | STATX_UID | STATX_ATIME | STATX_MTIME | STATX_CTIME
                    | STATX_INO | STATX_SIZE | STATX_BLOCKS;
    if (statx(fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | flags, mask, &s)) return false;
    *out = (Stat){makedev(s.stx_dev_major, s.stx_dev_minor), s.stx_ino, s.stx_size, s.stx_blocks * 512u,
                  nanoseconds(s.stx_mtime.tv_sec, s.stx_mtime.tv_nsec),
                  nanoseconds(s.stx_ctime.tv_sec, s.stx_ctime.tv_nsec),
                  nanoseconds(s.stx_atime.tv_sec, s.stx_atime.tv_nsec), s.stx_nlink, s.stx_uid, s.stx_mode};
    return true;
}
#endif

#ifdef __APPLE__
#define WHEN(s, which) ((s).st_##which##timespec)
#else
#define WHEN(s, which) ((s).st_##which##tim)
#endif
#define NANOSECONDS(when) nanoseconds((when).tv_sec, (when).tv_nsec)

static bool stat_portable(int fd, const char *name, Stat *out) {
    struct stat s;
    if (*name ? fstatat(fd, name, &s, AT_SYMLINK_NOFOLLOW) : fstat(fd, &s)) return false;
    *out = (Stat){(uint64_t)s.st_dev, s.st_ino, (uint64_t)s.st_size, (uint64_t)s.st_blocks * 512u,
                  NANOSECONDS(WHEN(s, m)), NANOSECONDS(WHEN(s, c)), NANOSECONDS(WHEN(s, a)),
                  (uint32_t)s.st_nlink, s.st_uid, (uint16_t)s.st_mode};
    return true;
}

/* Stats a name in the folder, or with an empty name the folder itself. */
static bool stat_at(Worker *k, int fd, const char *name, Stat *out) {
    k->stat_calls++;
#ifdef __linux__
    if (!k->walk->options->portable) return stat_linux(fd, name, *name ? 0 : AT_EMPTY_PATH, out);
#endif
    return stat_portable(fd, name, out);
}

/* Fills the buffer with records; the bytes written, 0 at the end, -1 with errno. */
static long list_portable(DIR *dir, char *buffer) {
    long used = 0;
    while (used < BUFFER - (long)(sizeof(Record) + 1024)) {
        errno = 0;
        struct dirent *d = readdir(dir);
        if (!d) return used || !errno ? used : -1;
        Record *r = (Record *)(buffer + used);
        size_t n = strlen(d->d_name) + 1;
        r->inode = d->d_ino;
        r->type = d->d_type;
        r->length = (uint16_t)((sizeof(Record) + n + 7) & ~(size_t)7);
        memcpy(r->name, d->d_name, n);
        used += r->length;
    }
    return used;
}

static long list(Worker *k, int fd, DIR *dir) {
#ifdef __linux__
    if (!k->walk->options->portable) return syscall(SYS_getdents64, fd, k->buffer, BUFFER);
#endif
    (void)fd;
    return list_portable(dir, k->buffer);
}

/* ---- small parts ---- */

static bool push(Stack *s, Job job) {
    if (s->count == s->room) {
        size_t room = s->room ? s->room * 2 : 64;
        Job *jobs = realloc(s->jobs, room * sizeof *jobs);
        if (!jobs) return false;
        s->jobs = jobs;
        s->room = room;
    }
    s->jobs[s->count++] = job;
    return true;
}

static void fail(Walk *w, int error) {
    pthread_mutex_lock(&w->lock);
    if (!w->error) w->error = error;
    pthread_mutex_unlock(&w->lock);
    atomic_store(&w->stop, true);
}

static void trouble(Walk *w, uint32_t folder, uint32_t entry, int error) {
    Tree *t = w->tree;
    pthread_mutex_lock(&w->lock);
    if (t->trouble_count == t->trouble_room) {
        size_t room = t->trouble_room ? t->trouble_room * 2 : 64;
        Trouble *more = realloc(t->troubles, room * sizeof *more);
        if (more) { t->troubles = more; t->trouble_room = room; }
    }
    if (t->trouble_count < t->trouble_room) t->troubles[t->trouble_count++] = (Trouble){folder, entry, error};
    pthread_mutex_unlock(&w->lock);
}

static void mark(Walk *w, uint32_t entry, uint32_t marker) {
    Tree *t = w->tree;
    pthread_mutex_lock(&w->lock);
    if (t->mark_count == t->mark_room) {
        size_t room = t->mark_room ? t->mark_room * 2 : 64;
        Mark *more = realloc(t->marks, room * sizeof *more);
        if (more) { t->marks = more; t->mark_room = room; }
    }
    if (t->mark_count < t->mark_room) t->marks[t->mark_count++] = (Mark){entry, marker};
    pthread_mutex_unlock(&w->lock);
}

static void release(Walk *w, Handle *h) {
    if (h && atomic_fetch_sub(&h->users, 1) == 1) {
        close(h->fd);
        atomic_fetch_sub(&w->open_folders, 1);
        free(h);
    }
}

static uint32_t keep_name(Worker *k, const char *name) {
    uint32_t n = (uint32_t)strlen(name) + 1;
    if (k->arena == NONE || k->arena_used + n > ARENA) {
        k->arena = take_arena(k->walk->tree);
        k->arena_used = 0;
        if (k->arena == NONE) { fail(k->walk, ENOMEM); return 0; }
    }
    uint32_t at = (k->arena << ARENA_BITS) | k->arena_used;
    memcpy(k->walk->tree->arenas[k->arena] + k->arena_used, name, n);
    k->arena_used += n;
    return at;
}

static uint32_t keep_file(Worker *k, uint16_t device, const Stat *s) {
    if (k->file_row == k->file_end) {
        k->file_row = take_files(k->walk->tree, FILE_BLOCK);
        if (k->file_row == NONE) { k->file_row = k->file_end = 0; fail(k->walk, ENOMEM); return NONE; }
        k->file_end = k->file_row + FILE_BLOCK;
    }
    put_file(k->walk->tree, k->file_row, device, s);
    return k->file_row++;
}

static bool fits(const char *marker, const char *name) {
    size_t m = strlen(marker), n = strlen(name);
    if (marker[0] == '*') return n >= m - 1 && !memcmp(name + n - (m - 1), marker + 1, m - 1);
    if (marker[m - 1] == '*') return n >= m - 1 && !memcmp(name, marker, m - 1);
    return n == m && !memcmp(name, marker, n);
}

static void look_for_markers(Walk *w, uint32_t entry, const char *name) {
    const MarkerSet *first = &w->by_first[(uint8_t)name[0]], *last = &w->by_last[(uint8_t)name[strlen(name) - 1]];
    for (uint32_t i = 0; i < MARKER_WORDS; i++) {
        for (uint64_t left = first->word[i] | last->word[i]; left; left &= left - 1) {
            uint32_t marker = i * 64 + (uint32_t)__builtin_ctzll(left);
            if (fits(w->options->markers[marker], name)) mark(w, entry, marker);
        }
    }
}

/* ---- entries ---- */

static void keep_stat(Worker *k, Handle *h, Entry *e, uint64_t listed_inode, const Stat *s) {
    Tree *t = k->walk->tree;
    uint16_t device = h->device;
    if (s->device != t->devices[device].number) device = device_row(t, s->device, -1);
    else if (listed_inode && s->inode != listed_inode) atomic_store(&t->devices[device].trusted, false);
    uint32_t row = keep_file(k, device, s);
    if (row == NONE) return;
    bool added = true;
    if (s->nlink > 1) {
        uint32_t known = add_inode(t, row, &added);
        if (!added && known != NONE) { k->file_row--; row = known; }
    }
    if (added) k->bytes += s->allocated;
    e->target = row;
}

/* What is mounted on this name, by the machine's mount table; NULL for an ordinary name. */
static const Mount *mounted_on(Walk *w, Handle *h, const char *name) {
    Folder *f = folder_at(w->tree, h->folder);
    if (!(f->flags & HOLDS_MOUNTS)) return NULL;
    for (size_t i = 0; i < w->options->mount_count; i++) {
        const Mount *m = &w->options->mounts[i];
        if (m->inode == FILE_COLUMN(w->tree, inode, f->file) && m->device == w->tree->devices[h->device].number
            && !strcmp(m->name, name)) return m;
    }
    return NULL;
}

/* Whether the walk goes into what is mounted on a name. */
static bool enters(const Walk *w, const Handle *h, const Mount *mount) {
    return w->options->cross_device || mount->mounted == w->tree->devices[h->device].number;
}

static void keep_folder(Worker *k, Handle *h, uint32_t entry, const Mount *mount) {
    Walk *w = k->walk;
    Tree *t = w->tree;
    uint32_t row = take_folder(t);
    if (row == NONE) { fail(w, ENOMEM); return; }
    Folder *f = folder_at(t, row);
    f->entry = entry;
    f->parent = h->folder;
    entry_at(t, entry)->target = FOLDER_BIT | row;
    if (mount && !enters(w, h, mount)) {
        f->flags |= BOUNDARY;    /* not even stat-ed: a dead network mount would hang */
        return;
    }
    Job job = {NULL, row, NULL, 0};
    if (mount) {                 /* the same file system mounted again: its own place is read first */
        pthread_mutex_lock(&w->lock);
        if (!push(&w->later, job)) w->error = ENOMEM;
        pthread_mutex_unlock(&w->lock);
        return;
    }
    if (atomic_load(&w->open_folders) <= w->open_limit) {
        job.via = h;
        atomic_fetch_add(&h->users, 1);
    }
    if (!push(&k->found, job)) fail(w, ENOMEM);
}

/* A name that could not be stat-ed: gone, or the folder does not let us look. */
static void unseen(Walk *w, uint32_t folder, uint32_t entry, int error) {
    if (error != ENOENT) folder_at(w->tree, folder)->flags |= UNREADABLE;
    trouble(w, folder, entry, error);
}

/* A file mounted over another. The mount holds it as a further link would, and its name here cannot go: two links
   that no set of names ever has. */
static void keep_mounted_file(Worker *k, Handle *h, Entry *e, Stat *s) {
    s->nlink += 2;
    folder_at(k->walk->tree, h->folder)->flags |= COVERED;
    keep_stat(k, h, e, 0, s);
    atomic_store(&k->walk->covered, true);
}

static void read_entry(Worker *k, Handle *h, const Record *r, uint32_t row) {
    Walk *w = k->walk;
    Tree *t = w->tree;
    Entry *e = entry_at(t, row);
    e->name = keep_name(k, r->name);
    e->folder = h->folder;
    const Mount *mount = mounted_on(w, h, r->name);
    if (r->type == DT_DIR) {
        keep_folder(k, h, row, mount);
    } else if (mount && !enters(w, h, mount)) {
        folder_at(t, h->folder)->flags |= COVERED;
    } else {
        uint32_t known = NONE;
        if (!mount && r->type != DT_UNKNOWN && atomic_load_explicit(&t->devices[h->device].trusted, memory_order_relaxed))
            known = find_inode(t, h->device, r->inode);
        Stat s;
        if (known != NONE) e->target = known;
        else if (!stat_at(k, h->fd, r->name, &s)) unseen(w, h->folder, row, errno);
        else if (S_ISDIR(s.mode)) keep_folder(k, h, row, mount);
        else if (mount) keep_mounted_file(k, h, e, &s);
        else keep_stat(k, h, e, r->inode, &s);
    }
    look_for_markers(w, row, r->name);
}

static bool is_dot(const char *n) { return n[0] == '.' && (!n[1] || (n[1] == '.' && !n[2])); }

static void flush(Worker *k) {
    Walk *w = k->walk;
    atomic_fetch_add_explicit(&w->bytes, k->bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&w->stat_calls, k->stat_calls, memory_order_relaxed);
    k->bytes = k->stat_calls = 0;
    if (!k->found.count) return;
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < k->found.count; i++)
        if (!push(&w->stack, k->found.jobs[i])) w->error = ENOMEM;
    if (atomic_load(&w->idle)) pthread_cond_broadcast(&w->work);
    pthread_mutex_unlock(&w->lock);
    k->found.count = 0;
}

static void read_block(Worker *k, Handle *h, const char *block, long length) {
    Walk *w = k->walk;
    Tree *t = w->tree;
    uint32_t n = 0;
    for (long at = 0; at < length; at += ((const Record *)(block + at))->length)
        n += !is_dot(((const Record *)(block + at))->name);
    if (!n) return;
    uint32_t first = take_entries(t, n), row = first;
    if (first == NONE) { fail(w, ENOMEM); return; }
    for (long at = 0; at < length && !atomic_load_explicit(&w->stop, memory_order_relaxed);) {
        const Record *r = (const Record *)(block + at);
        at += r->length;
        if (is_dot(r->name)) continue;
        read_entry(k, h, r, row);
        entry_at(t, row)->next = row + 1;
        row++;
    }
    Folder *f = folder_at(t, h->folder);
    if (row - first < n) f->flags |= STOPPED;
    if (row == first) return;
    uint32_t head = atomic_load(&f->head);
    do entry_at(t, row - 1)->next = head;
    while (!atomic_compare_exchange_weak(&f->head, &head, first));
    flush(k);
}

/* ---- folders ---- */

/* The folder's own descriptor when its parent's is closed by now: down from its starting point in strides
   shorter than PATH_MAX, and only accepted when it is still the same folder. */
static int reach(Worker *k, uint32_t folder) {
    Tree *t = k->walk->tree;
    Folder *f = folder_at(t, folder);
    size_t n;
    char *path = path_of(t, f->entry, &n), *at = path;
    if (!path) return -1;
    int fd = AT_FDCWD;
    while (*at) {
        char *end = at + strlen(at), *cut = end;
        if (end - at > 3000) { cut = at + 3000; while (cut > at && *cut != '/') cut--; }
        if (cut == at) cut = end;
        char kept = *cut;
        *cut = 0;
        int next = openat(fd, at, REACH);
        if (fd != AT_FDCWD) close(fd);
        if (next < 0) { free(path); return -1; }
        fd = next;
        *cut = kept;
        at = cut + (kept == '/');
    }
    free(path);
    Stat s;
    if (stat_at(k, fd, "", &s) && s.inode == FILE_COLUMN(t, inode, f->file)
        && s.device == t->devices[FILE_COLUMN(t, device, f->file)].number) return fd;
    close(fd);
    errno = ENOTDIR;
    return -1;
}

static int open_folder(int parent, const char *name) {
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    int fd = openat(parent, name, flags | O_NOATIME);
    return fd < 0 && errno == EPERM ? openat(parent, name, flags) : fd;
}

static uint16_t note_folder(Worker *k, Folder *f, int fd, const Stat *s) {
    Tree *t = k->walk->tree;
    uint16_t device = device_row(t, s->device, fd);
    bool added, start = f->parent == 0;
    f->file = keep_file(k, device, s);
    if (f->file == NONE) return device;
    if (!start && !k->walk->options->cross_device && device != FILE_COLUMN(t, device, folder_at(t, f->parent)->file)) {
        f->flags |= BOUNDARY;
        return device;
    }
    if (add_inode(t, f->file, &added) != NONE && !added) f->flags |= SEEN;
    else k->bytes += s->allocated;
    return device;
}

/* A starting point that another one reached already has its rows there. */
static bool below_another_start(const Walk *w, const char *path) {
    for (size_t i = 0; i < w->options->root_count; i++) {
        const char *root = w->options->roots[i];
        size_t n = strlen(root);
        if (n && root[n - 1] == '/') n--;
        if (!strncmp(path, root, n) && path[n] == '/' && path[n + 1]) return true;
    }
    return false;
}

/* Opens the folder of a job and stats it; NULL when it is not to be listed, with the reason noted. */
static Handle *enter(Worker *k, const Job *job) {
    Walk *w = k->walk;
    Tree *t = w->tree;
    Folder *f = folder_at(t, job->folder);
    bool start = f->parent == 0;
    const char *name = name_at(t, entry_at(t, f->entry)->name);
    int parent = start ? AT_FDCWD : job->via ? job->via->fd : reach(k, f->parent);
    int fd = parent == -1 ? -1 : open_folder(parent, name), error = errno;
    Stat s;
    bool known = fd >= 0 ? stat_at(k, fd, "", &s) : parent != -1 && stat_at(k, parent, name, &s);
    if (!start && !job->via && parent >= 0) close(parent);
    if (fd < 0) {
        f->flags |= UNREADABLE;
        if (known && S_ISDIR(s.mode)) note_folder(k, f, -1, &s);
        else if (known || error == ENOENT || error == ENOTDIR || error == ELOOP) entry_at(t, f->entry)->target = NONE;
        trouble(w, f->parent, f->entry, error);
        return NULL;
    }
    uint16_t device = known ? note_folder(k, f, fd, &s) : 0;
    if (start && f->flags & SEEN && below_another_start(w, name)) entry_at(t, f->entry)->target = NONE;
    Handle *h = known && f->file != NONE && !(f->flags & (SEEN | BOUNDARY)) ? malloc(sizeof *h) : NULL;
    if (!h) { close(fd); return NULL; }
    for (size_t i = 0; i < w->options->mount_count; i++)
        if (w->options->mounts[i].inode == s.inode && w->options->mounts[i].device == s.device) f->flags |= HOLDS_MOUNTS;
    atomic_init(&h->users, 1);
    h->fd = fd; h->folder = job->folder; h->device = device;
    atomic_fetch_add(&w->open_folders, 1);
    return h;
}

static bool hand_over(Walk *w, Handle *h, const char *block, long length) {
    if (length < HAND_OVER || !atomic_load_explicit(&w->idle, memory_order_relaxed)) return false;
    char *copy = malloc((size_t)length);
    if (!copy) return false;
    memcpy(copy, block, (size_t)length);
    atomic_fetch_add(&h->users, 1);
    pthread_mutex_lock(&w->lock);
    bool ok = push(&w->stack, (Job){h, h->folder, copy, (uint32_t)length});
    pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->lock);
    if (!ok) { free(copy); release(w, h); }
    return ok;
}

static void read_folder(Worker *k, const Job *job) {
    Walk *w = k->walk;
    Handle *h = enter(k, job);
    if (!h) { flush(k); return; }
    atomic_store_explicit(&w->current, folder_at(w->tree, h->folder)->entry, memory_order_relaxed);
    DIR *dir = NULL;
    int copy = -1;
    if (w->options->portable) {
        copy = fcntl(h->fd, F_DUPFD_CLOEXEC, 0);
        dir = copy < 0 ? NULL : fdopendir(copy);
        if (!dir && copy >= 0) close(copy);
    }
    long n = w->options->portable && !dir ? -1 : 1;
    while (n > 0 && !atomic_load_explicit(&w->stop, memory_order_relaxed)) {
        n = list(k, h->fd, dir);
        if (n > 0 && !hand_over(w, h, k->buffer, n)) read_block(k, h, k->buffer, n);
    }
    if (n < 0) {
        Folder *f = folder_at(w->tree, h->folder);
        int error = errno;
        f->flags |= UNREADABLE;
        trouble(w, f->parent, f->entry, error);
        if (error == ENOENT) entry_at(w->tree, f->entry)->target = NONE;   /* removed since it was opened */
    }
    if (atomic_load(&w->stop)) folder_at(w->tree, h->folder)->flags |= STOPPED;
    if (dir) closedir(dir);
    release(w, h);
    flush(k);
}

/* ---- threads ---- */

/* The next starting point as a job; its entry holds the whole path. Called with the lock held. */
static bool next_start(Worker *k, Job *job) {
    Walk *w = k->walk;
    Tree *t = w->tree;
    uint32_t entry = take_entries(t, 1), row = take_folder(t);
    if (entry == NONE || row == NONE) { w->error = ENOMEM; return false; }
    Entry *e = entry_at(t, entry);
    e->name = keep_name(k, w->options->roots[w->next_root++]);
    e->folder = 0;
    e->target = FOLDER_BIT | row;
    Folder *f = folder_at(t, row), *top = folder_at(t, 0);
    f->entry = entry;
    f->parent = 0;
    e->next = atomic_exchange(&top->head, entry);
    *job = (Job){NULL, row, NULL, 0};
    return true;
}

/* Waits for a job; false when the walk is over. Starting points come one after the other, and what is
   mounted a second time after everything else, so that a file is met first under its own place. */
static bool next_job(Worker *k, Job *job) {
    Walk *w = k->walk;
    bool got = false;
    pthread_mutex_lock(&w->lock);
    while (!got && !w->done) {
        if (w->error) atomic_store(&w->stop, true);
        bool last = atomic_load(&w->idle) + 1 == w->running;
        if (w->stack.count) { *job = w->stack.jobs[--w->stack.count]; got = true; }
        else if (last && !atomic_load(&w->stop) && w->next_root < w->options->root_count) got = next_start(k, job);
        else if (last && !atomic_load(&w->stop) && w->later.count) { *job = w->later.jobs[--w->later.count]; got = true; }
        else if (last) { w->done = true; pthread_cond_broadcast(&w->work); pthread_cond_broadcast(&w->over); }
        else {
            atomic_fetch_add(&w->idle, 1);
            pthread_cond_wait(&w->work, &w->lock);
            atomic_fetch_sub(&w->idle, 1);
        }
    }
    pthread_mutex_unlock(&w->lock);
    return got;
}

static void drop(Walk *w, const Job *job) {
    folder_at(w->tree, job->folder)->flags |= STOPPED;
    free(job->block);
    release(w, job->via);
}

static void *run(void *argument) {
    Worker *k = argument;
    Walk *w = k->walk;
    Job job;
    while (next_job(k, &job)) {
        if (atomic_load(&w->stop)) { drop(w, &job); continue; }
        if (job.block) read_block(k, job.via, job.block, job.length);
        else read_folder(k, &job);
        free(job.block);
        release(w, job.via);
    }
    free(k->found.jobs);
    free(k);
    return NULL;
}

/* Descriptors this walk may keep open at once, leaving room for everybody else's. */
static int descriptor_budget(void) {
    struct rlimit r;
    long soft = getrlimit(RLIMIT_NOFILE, &r) ? 256 : (long)(r.rlim_cur > 4096 ? 4096 : r.rlim_cur), open = 0;
    DIR *known = opendir("/proc/self/fd");
    if (known) {
        while (readdir(known)) open++;
        closedir(known);
    } else {
        for (int fd = 0; fd < soft; fd++) open += fcntl(fd, F_GETFD) >= 0;
    }
    return (int)(soft > open ? soft - open : 0) / 2;
}

Walk *walk_start(Tree *t, const WalkOptions *o) {
    Walk *w = calloc(1, sizeof *w);
    if (!w || !(w->threads = calloc((size_t)o->threads, sizeof(pthread_t)))) { free(w); return NULL; }
    int budget = descriptor_budget(), threads = o->threads;
    if (threads > budget / THREAD_OPENS) threads = budget < THREAD_OPENS ? 1 : budget / THREAD_OPENS;
    w->tree = t;
    w->options = o;
    w->open_limit = budget - threads * THREAD_OPENS;
    atomic_store(&w->current, NONE);
    for (size_t i = 0; i < o->marker_count; i++) {
        const char *m = o->markers[i];
        MarkerSet *set = m[0] == '*' ? &w->by_last[(uint8_t)m[strlen(m) - 1]] : &w->by_first[(uint8_t)m[0]];
        set->word[i / 64] |= (uint64_t)1 << i % 64;
    }
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->work, NULL);
    pthread_cond_init(&w->over, NULL);
    pthread_mutex_lock(&w->lock);
    for (int i = 0; i < threads; i++) {
        Worker *k = calloc(1, sizeof *k);
        if (!k) break;
        k->walk = w;
        k->arena = NONE;
        if (pthread_create(&w->threads[w->running], NULL, run, k)) { free(k); break; }
        w->running++;
    }
    if (!w->running) { w->done = true; w->error = EAGAIN; }
    pthread_mutex_unlock(&w->lock);
    return w;
}

bool walk_wait(Walk *w, int milliseconds) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += milliseconds * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&w->lock);
    while (!w->done && pthread_cond_timedwait(&w->over, &w->lock, &until) == 0) {}
    bool done = w->done;
    pthread_mutex_unlock(&w->lock);
    return done;
}

void walk_stop(Walk *w) {
    w->tree->partial = true;
    atomic_store(&w->stop, true);
}

uint32_t walk_folder(Walk *w) { return atomic_load(&w->current); }
uint64_t walk_bytes(Walk *w) { return atomic_load(&w->bytes); }

int walk_finish(Walk *w) {
    for (int i = 0; i < w->running; i++) pthread_join(w->threads[i], NULL);
    for (size_t i = 0; i < w->later.count; i++) drop(w, &w->later.jobs[i]);
    w->tree->stat_calls = atomic_load(&w->stat_calls);
    if (atomic_load(&w->covered)) merge_mounted(w->tree);
    total_folders(w->tree);
    int error = w->error;
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->work);
    pthread_cond_destroy(&w->over);
    free(w->stack.jobs);
    free(w->later.jobs);
    free(w->threads);
    free(w);
    return error;
}
