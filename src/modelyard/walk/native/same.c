/* Which files of the tree have the same size, and what many small ones hold: how a search for equal files begins. */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef O_NOATIME
#define O_NOATIME 0
#endif
#define A_TURN 16   /* files that a thread takes at once */

/* ---- files of one size ---- */

typedef struct {
    uint64_t least;
    uint8_t *met;      /* a bit for each file: every inode once, by the first of its names */
    Sized *files;
    size_t count, room;
    bool failed;
} Sizes;

static bool note_size(Tree *t, uint32_t e, void *to) {
    Sizes *s = to;
    const Entry *entry = entry_at(t, e);
    if (s->failed) return false;
    if (is_folder(entry)) return true;
    uint32_t f = entry->target;
    uint64_t size = FILE_COLUMN(t, size, f);
    if (!S_ISREG(FILE_COLUMN(t, mode, f)) || !size || size < s->least || s->met[f >> 3] >> (f & 7) & 1) return true;
    s->met[f >> 3] |= (uint8_t)(1 << (f & 7));
    if (s->count == s->room) {
        size_t room = s->room ? s->room * 2 : 4096;
        Sized *grown = realloc(s->files, room * sizeof *grown);
        if (!grown) { s->failed = true; return false; }
        s->files = grown;
        s->room = room;
    }
    s->files[s->count++] = (Sized){size, FILE_COLUMN(t, inode, f), e, FILE_COLUMN(t, device, f)};
    return true;
}

static int by_size(const void *a, const void *b) {
    const Sized *x = a, *y = b;
    if (x->size != y->size) return x->size < y->size ? 1 : -1;
    if (x->device != y->device) return x->device < y->device ? -1 : 1;
    return x->inode < y->inode ? -1 : x->inode > y->inode;
}

int same_size(Tree *t, const uint32_t *rows, size_t row_count, uint64_t least, Sized **files, size_t *count) {
    Sizes s = {.least = least, .met = calloc(1, atomic_load(&t->file_count) / 8 + 1)};
    if (!s.met) return ENOMEM;
    for (size_t i = 0; i < row_count; i++) visit_below(t, rows[i], NULL, note_size, &s);
    free(s.met);
    if (s.failed) { free(s.files); return ENOMEM; }
    if (s.count) qsort(s.files, s.count, sizeof *s.files, by_size);
    size_t kept = 0;
    for (size_t i = 0; i < s.count; i++) {
        bool twin = (i && s.files[i - 1].size == s.files[i].size) || (i + 1 < s.count && s.files[i + 1].size == s.files[i].size);
        if (twin) s.files[kept++] = s.files[i];   /* never further than i: the one before is still itself or its twin */
    }
    *files = s.files;
    *count = kept;
    return 0;
}

/* ---- the content of many ---- */

typedef struct {
    const Tree *tree;
    const uint32_t *rows;
    const size_t *starts;
    size_t count;
    unsigned char *to;
    uint8_t *good;
    atomic_size_t next;
} Contents;

/* Whether all of the file as the walk saw it is in `to`: one that was replaced or written to since is not. */
static bool read_as_seen(const Tree *t, uint32_t row, unsigned char *to, size_t size) {
    size_t n, got = 0;
    uint32_t f = entry_at(t, row)->target;
    char *path = path_of(t, row, &n);
    if (!path) return false;
    int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, fd = open(path, flags | O_NOATIME);
    if (fd < 0 && errno == EPERM) fd = open(path, flags);
    free(path);
    if (fd < 0) return false;
    for (ssize_t part; got < size && (part = read(fd, to + got, size - got)) > 0;) got += (size_t)part;
    struct stat now;
    bool good = got == size && !fstat(fd, &now) && S_ISREG(now.st_mode) && (uint64_t)now.st_size == size
        && now.st_ino == FILE_COLUMN(t, inode, f)
#ifdef __APPLE__
        && (int64_t)now.st_mtimespec.tv_sec * 1000000000 + now.st_mtimespec.tv_nsec == FILE_COLUMN(t, mtime, f);
#else
        && (int64_t)now.st_mtim.tv_sec * 1000000000 + now.st_mtim.tv_nsec == FILE_COLUMN(t, mtime, f);
#endif
    close(fd);
    return good;
}

static void *read_some(void *of) {
    Contents *c = of;
    for (size_t from; (from = atomic_fetch_add(&c->next, A_TURN)) < c->count;)
        for (size_t i = from; i < from + A_TURN && i < c->count; i++)
            c->good[i] = read_as_seen(c->tree, c->rows[i], c->to + c->starts[i], c->starts[i + 1] - c->starts[i]);
    return NULL;
}

void contents(const Tree *t, const uint32_t *rows, const size_t *starts, size_t count, int threads, unsigned char *to, uint8_t *good) {
    Contents c = {.tree = t, .rows = rows, .starts = starts, .count = count, .to = to, .good = good};
    pthread_t others[16];
    int running = 0, wanted = threads < 17 ? threads - 1 : 16;
    while (running < wanted && (size_t)running * A_TURN * 2 < count && !pthread_create(&others[running], NULL, read_some, &c)) running++;
    read_some(&c);
    for (int i = 0; i < running; i++) pthread_join(others[i], NULL);
}
