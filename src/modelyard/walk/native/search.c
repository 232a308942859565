/* Which small files of the tree hold one of some strings: what a survey reads of people's own code. */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define A_TURN 16          /* files that a thread takes at once */
#define HITS_A_FILE 4096

/* ---- which files to look into ---- */

typedef struct { const char *pattern; size_t length; bool suffix; } Pattern;
typedef struct {
    Pattern names[64], pruned[64];
    size_t name_count, pruned_count;
    bool first[256], last[256];   /* a wanted name may begin or end like this */
    uint64_t cap;
    uint32_t *rows;
    size_t count, room, limit;
    bool failed;
} Candidates;

static bool fits(const Pattern *p, const char *name, size_t n) {
    if (p->suffix) return n >= p->length && !memcmp(name + n - p->length, p->pattern, p->length);
    return n >= p->length && !memcmp(name, p->pattern, p->length);
}

static bool keep_row(Candidates *c, uint32_t e) {
    if (c->count == c->room) {
        size_t room = c->room ? c->room * 2 : 1024;
        uint32_t *rows = realloc(c->rows, room * sizeof *rows);
        if (!rows) { c->failed = true; return false; }
        c->rows = rows;
        c->room = room;
    }
    c->rows[c->count++] = e;
    return true;
}

static bool note_candidate(Tree *t, uint32_t e, void *to) {
    Candidates *c = to;
    if (c->count >= c->limit || c->failed) return false;
    const Entry *entry = entry_at(t, e);
    const char *name = name_at(t, entry->name);
    size_t n = strlen(name);
    if (is_folder(entry)) {
        for (size_t i = 0; i < c->pruned_count; i++)
            if (n == c->pruned[i].length && !memcmp(name, c->pruned[i].pattern, n)) return false;
        return true;
    }
    if (!n || !(c->first[(unsigned char)name[0]] || c->last[(unsigned char)name[n - 1]])) return true;
    uint32_t f = entry->target;
    if (!S_ISREG(FILE_COLUMN(t, mode, f)) || !FILE_COLUMN(t, size, f) || FILE_COLUMN(t, size, f) > c->cap) return true;
    for (size_t i = 0; i < c->name_count; i++)
        if (fits(&c->names[i], name, n)) return keep_row(c, e);
    return true;
}

static size_t patterns_from(const char **texts, size_t count, Pattern *out) {
    for (size_t i = 0; i < count && i < 64; i++) {
        bool suffix = texts[i][0] == '*';
        out[i] = (Pattern){texts[i] + suffix, strlen(texts[i]) - suffix, suffix};
    }
    return count < 64 ? count : 64;
}

int candidates(Tree *t, const SearchOptions *o, uint32_t **rows, size_t *count) {
    Candidates c = {.cap = o->cap, .limit = o->limit};
    c.name_count = patterns_from(o->names, o->name_count, c.names);
    c.pruned_count = patterns_from(o->pruned, o->pruned_count, c.pruned);
    for (size_t i = 0; i < c.name_count; i++) {
        const Pattern *p = &c.names[i];
        if (!p->length) continue;
        if (p->suffix) c.last[(unsigned char)p->pattern[p->length - 1]] = true;
        else c.first[(unsigned char)p->pattern[0]] = true;
    }
    uint8_t *excluded = calloc(1, atomic_load(&t->entry_count) / 8 + 1);
    if (!excluded) return ENOMEM;
    for (size_t i = 0; i < o->excluded_count; i++) excluded[o->excluded[i] >> 3] |= (uint8_t)(1 << (o->excluded[i] & 7));
    for (uint32_t e = atomic_load(&folder_at(t, 0)->head); e != NONE; e = entry_at(t, e)->next)
        visit_below(t, e, excluded, note_candidate, &c);
    free(excluded);
    if (c.failed) { free(c.rows); return ENOMEM; }
    *rows = c.rows;
    *count = c.count;
    return 0;
}

/* ---- where the needles are in them ---- */

typedef struct { Hit *hits; size_t count, room; } Hits;
typedef struct {
    const Tree *tree;
    const uint32_t *rows;
    size_t count;
    const char **needles;
    size_t *lengths, needle_count;
    uint8_t maybe[8192];          /* a bit for the hash of each needle's first four bytes: small enough to stay near */
    uint8_t first[65536];         /* by that hash: the number of the needle + 1 */
    uint8_t more[256];            /* the next needle with the same hash, + 1 */
    size_t cap;
    atomic_size_t next;
    pthread_mutex_t lock;
    Hits all;
    atomic_bool failed;
} Search;

static bool add_hits(Hits *to, const Hit *hits, size_t count) {
    if (to->count + count > to->room) {
        size_t room = (to->count + count) * 2 + 64;
        Hit *grown = realloc(to->hits, room * sizeof *grown);
        if (!grown) return false;
        to->hits = grown;
        to->room = room;
    }
    if (count) memcpy(to->hits + to->count, hits, count * sizeof *hits);
    to->count += count;
    return true;
}

static uint32_t hash_of(const unsigned char *four) {
    uint32_t bytes;
    memcpy(&bytes, four, 4);
    return bytes * 0x9E3779B1u >> 16;
}

static bool find_needles(const Search *s, uint32_t row, const unsigned char *text, size_t n, Hits *to) {
    size_t left = HITS_A_FILE;
    for (size_t at = 0; at + 4 <= n && left; at++) {
        uint32_t hash = hash_of(text + at);
        if (!(s->maybe[hash >> 3] >> (hash & 7) & 1)) continue;
        for (size_t next = s->first[hash]; next; next = s->more[next - 1]) {
            size_t i = next - 1;
            if (s->lengths[i] > n - at || memcmp(text + at, s->needles[i], s->lengths[i])) continue;
            Hit hit = {row, (uint32_t)i, (uint32_t)at};
            if (!add_hits(to, &hit, 1)) return false;
            left--;
            break;
        }
    }
    return true;
}

static size_t read_whole(const Search *s, uint32_t row, unsigned char *to) {
    size_t n, got = 0;
    char *path = path_of(s->tree, row, &n);
    if (!path) return 0;
    int fd = open_without_trace(path, O_NOFOLLOW);
    free(path);
    if (fd < 0) return 0;
    struct stat now;
    if (!fstat(fd, &now) && S_ISREG(now.st_mode))
        for (ssize_t part; got < s->cap && (part = read(fd, to + got, s->cap - got)) > 0;) got += (size_t)part;
    close(fd);
    return got;
}

static void *search_some(void *of) {
    Search *s = of;
    Hits own = {0};
    unsigned char *text = malloc(s->cap + 1);
    bool good = text;
    for (size_t from; good && (from = atomic_fetch_add(&s->next, A_TURN)) < s->count;)
        for (size_t i = from; good && i < from + A_TURN && i < s->count; i++)
            good = find_needles(s, s->rows[i], text, read_whole(s, s->rows[i], text), &own);
    pthread_mutex_lock(&s->lock);
    good = good && add_hits(&s->all, own.hits, own.count);
    pthread_mutex_unlock(&s->lock);
    if (!good) atomic_store(&s->failed, true);
    free(text);
    free(own.hits);
    return NULL;
}

static int by_place(const void *a, const void *b) {
    const Hit *x = a, *y = b;
    return x->row != y->row ? (x->row < y->row ? -1 : 1) : x->offset < y->offset ? -1 : x->offset > y->offset;
}

int search(const Tree *t, const uint32_t *rows, size_t count, const char **needles, size_t needle_count, size_t cap, int threads, Hit **hits, size_t *hit_count) {
    Search s = {.tree = t, .rows = rows, .count = count, .needles = needles, .needle_count = needle_count, .cap = cap, .lock = PTHREAD_MUTEX_INITIALIZER};
    s.lengths = malloc((needle_count + 1) * sizeof *s.lengths);
    if (!s.lengths) return ENOMEM;
    for (size_t i = needle_count; i-- > 0;) {
        s.lengths[i] = strlen(needles[i]);
        if (s.lengths[i] < 4) continue;   /* too short to look for */
        uint32_t hash = hash_of((const unsigned char *)needles[i]);
        s.maybe[hash >> 3] |= (uint8_t)(1 << (hash & 7));
        s.more[i] = s.first[hash];
        s.first[hash] = (uint8_t)(i + 1);
    }
    pthread_t others[16];
    int running = 0, wanted = threads < 17 ? threads - 1 : 16;
    while (running < wanted && (size_t)running * A_TURN * 4 < count && !pthread_create(&others[running], NULL, search_some, &s)) running++;
    search_some(&s);
    for (int i = 0; i < running; i++) pthread_join(others[i], NULL);
    pthread_mutex_destroy(&s.lock);
    free(s.lengths);
    if (atomic_load(&s.failed)) { free(s.all.hits); return ENOMEM; }
    if (s.all.count) qsort(s.all.hits, s.all.count, sizeof(Hit), by_place);
    *hits = s.all.hits;
    *hit_count = s.all.count;
    return 0;
}
