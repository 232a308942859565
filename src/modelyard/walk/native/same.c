/* Which files of the tree have the same size, and which small ones of them hold the same: a search for equal files. */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define A_TURN 16             /* groups that a thread takes at once */
#define ROOM ((size_t)8 << 20)   /* bytes that a thread keeps of one group; of what is beyond only the hash */

/* ---- files of one size ---- */

#define OWN ".modelyard-"   /* its trash, and the copy of a move that goes on or stopped half-way */

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
    if (is_folder(entry)) return strncmp(name_at(t, entry->name), OWN, sizeof OWN - 1) != 0;
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

/* ---- of them those that hold the same ---- */

typedef struct {
    const Tree *tree;
    const uint32_t *rows;
    const size_t *groups;   /* where each begins in the rows, and at last the end */
    size_t group_count;
    uint32_t *same;
    atomic_size_t next, read;
    atomic_bool failed;
} Contents;

typedef struct { uint64_t hash; const unsigned char *kept; uint32_t at; } Known;

/* What a thread works in: room for a group, for two files beyond it, and a note of each file of a group. */
typedef struct {
    unsigned char *room, *spare[2];
    size_t spare_size, known_room;
    Known *known;
} Desk;

/* Whether all of the file as the walk saw it is in `to`: one that was replaced or written to since is not. */
static bool read_as_seen(const Tree *t, uint32_t row, unsigned char *to, size_t size) {
    size_t n, got = 0;
    uint32_t f = entry_at(t, row)->target;
    char *path = path_of(t, row, &n);
    if (!path) return false;
    int fd = open_without_trace(path, O_NOFOLLOW);
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

/* Tells most files apart; what it does not is compared byte by byte. */
static uint64_t hash_of(const unsigned char *data, size_t n) {
    uint64_t hash = 0x9E3779B97F4A7C15u ^ n, word;
    for (; n >= 8; data += 8, n -= 8) {
        memcpy(&word, data, 8);
        hash = (hash ^ word) * 0xD6E8FEB86659FD93u;
        hash ^= hash >> 32;
    }
    for (; n; data++, n--) hash = (hash ^ *data) * 0x100000001B3u;
    return hash ^ hash >> 29;
}

static int by_hash(const void *a, const void *b) {
    const Known *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static bool make_room(Desk *d, size_t size, size_t count) {
    if (!d->room && !(d->room = malloc(ROOM))) return false;
    for (int i = 0; i < 2; i++)
        if (d->spare_size < size) {
            free(d->spare[i]);
            if (!(d->spare[i] = malloc(size))) { d->spare_size = 0; return false; }
        }
    if (d->spare_size < size) d->spare_size = size;
    if (d->known_room >= count) return true;
    free(d->known);
    d->known = malloc(count * sizeof *d->known);
    d->known_room = d->known ? count : 0;
    return d->known;
}

static const unsigned char *bytes_of(Contents *c, Desk *d, const Known *k, size_t size, int spare) {
    if (k->kept) return k->kept;
    atomic_fetch_add(&c->read, size);
    return read_as_seen(c->tree, c->rows[k->at], d->spare[spare], size) ? d->spare[spare] : NULL;
}

/* Gives a file the number of that one of several, which all differ, that holds the same; whether it is another one. */
static bool is_new(Contents *c, Desk *d, const Known *others, size_t count, const Known *mine, size_t size) {
    const unsigned char *other, *own = count ? bytes_of(c, d, mine, size, 0) : NULL;
    for (size_t k = 0; own && k < count; k++)
        if ((other = bytes_of(c, d, &others[k], size, 1)) && !memcmp(own, other, size)) {
            c->same[mine->at] = others[k].at;
            return false;
        }
    c->same[mine->at] = own || !count ? mine->at : NONE;
    return own || !count;
}

static void part_group(Contents *c, Desk *d, size_t from, size_t end) {
    size_t size = FILE_COLUMN(c->tree, size, entry_at(c->tree, c->rows[from])->target), used = 0, n = 0;
    if (!make_room(d, size, end - from)) { atomic_store(&c->failed, true); return; }
    for (size_t i = from; i < end; i++) {
        bool keep = used + size <= ROOM;
        unsigned char *to = keep ? d->room + used : d->spare[0];
        c->same[i] = NONE;
        if (!read_as_seen(c->tree, c->rows[i], to, size)) continue;
        d->known[n++] = (Known){hash_of(to, size), keep ? to : NULL, (uint32_t)i};
        if (keep) used += size;
    }
    atomic_fetch_add(&c->read, n * size);
    qsort(d->known, n, sizeof *d->known, by_hash);
    for (size_t i = 0, first = 0, count = 0; i < n; i++) {
        if (d->known[i].hash != d->known[first].hash) { first = i; count = 0; }
        Known mine = d->known[i];
        if (!is_new(c, d, &d->known[first], count, &mine, size)) continue;
        d->known[i] = d->known[first + count];   /* those that differ come first, in their order */
        d->known[first + count++] = mine;
    }
}

static void *part_some(void *of) {
    Contents *c = of;
    Desk d = {0};
    for (size_t from; (from = atomic_fetch_add(&c->next, A_TURN)) < c->group_count && !atomic_load(&c->failed);)
        for (size_t g = from; g < from + A_TURN && g < c->group_count; g++) part_group(c, &d, c->groups[g], c->groups[g + 1]);
    free(d.room); free(d.spare[0]); free(d.spare[1]); free(d.known);
    return NULL;
}

int same_content(const Tree *t, const uint32_t *rows, const size_t *groups, size_t group_count, int threads, uint32_t *same, size_t *read) {
    Contents c = {.tree = t, .rows = rows, .groups = groups, .group_count = group_count, .same = same};
    pthread_t others[16];
    int running = 0, wanted = threads < 17 ? threads - 1 : 16;
    while (running < wanted && (size_t)running * A_TURN < group_count && !pthread_create(&others[running], NULL, part_some, &c)) running++;
    part_some(&c);
    for (int i = 0; i < running; i++) pthread_join(others[i], NULL);
    *read = atomic_load(&c.read);
    return atomic_load(&c.failed) ? ENOMEM : 0;
}
