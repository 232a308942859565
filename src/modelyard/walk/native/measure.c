/* What a set of entries takes, and what its devices gain when exactly these names go. */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/fiemap.h>
#include <linux/fs.h>
#endif
#ifdef __APPLE__
#include <sys/attr.h>
#endif

#define EXTENTS_A_CALL 128
#define UNKNOWN UINT64_MAX

typedef struct {
    Tree *tree;
    uint8_t *chosen, *kept, *held;  /* a bit for each entry; kept and what holds them are NULL when nothing is */
    uint32_t *linked;            /* file rows with several links, met in this set */
    uint32_t *linked_entry;      /* one of their names */
    size_t count, room;
    Measure *out;
    bool failed;
} Sum;

static bool bit(const uint8_t *bits, uint32_t i) { return bits[i >> 3] >> (i & 7) & 1; }
static void set_bit(uint8_t *bits, uint32_t i) { bits[i >> 3] |= (uint8_t)(1 << (i & 7)); }

/* Visits an entry and everything below it but for the kept, without recursion: the tree itself knows the way back. */
void visit_below(Tree *t, uint32_t top, const uint8_t *kept, Visit visit, void *to) {
    uint32_t e = top;
    while (e != NONE) {
        uint32_t down = NONE;
        if (entry_at(t, e)->target != NONE && !(kept && bit(kept, e))) {
            bool deeper = visit(t, e, to);
            if (deeper && is_folder(entry_at(t, e))) down = atomic_load(&folder_at(t, folder_of(entry_at(t, e)))->head);
        }
        if (down != NONE) { e = down; continue; }
        while (e != top && e != NONE && entry_at(t, e)->next == NONE) e = folder_at(t, entry_at(t, e)->folder)->entry;
        if (e == top || e == NONE) return;
        e = entry_at(t, e)->next;
    }
}

/* ---- shared extents ---- */

#ifdef __linux__
static uint64_t shared_in(int fd, uint64_t size) {
    struct { struct fiemap head; struct fiemap_extent extents[EXTENTS_A_CALL]; } map;
    uint64_t at = 0, shared = 0;
    for (;;) {
        memset(&map.head, 0, sizeof map.head);
        map.head.fm_start = at;
        map.head.fm_length = size > at ? size - at : 1;
        map.head.fm_extent_count = EXTENTS_A_CALL;
        if (ioctl(fd, FS_IOC_FIEMAP, &map.head)) return UNKNOWN;
        unsigned n = map.head.fm_mapped_extents;
        if (!n) return shared;
        for (unsigned i = 0; i < n; i++)
            if (map.extents[i].fe_flags & FIEMAP_EXTENT_SHARED) shared += map.extents[i].fe_length;
        const struct fiemap_extent *last = &map.extents[n - 1];
        if (last->fe_flags & FIEMAP_EXTENT_LAST) return shared;
        at = last->fe_logical + last->fe_length;
        if (at >= size) return shared;
    }
}
#elif defined(__APPLE__)
/* macOS tells the bytes that deleting the file would free (getattrlist(2), ATTR_CMNEXT_PRIVATESIZE). */
static uint64_t shared_in(int fd, uint64_t allocated) {
    struct attrlist want = {.bitmapcount = ATTR_BIT_MAP_COUNT, .forkattr = ATTR_CMNEXT_PRIVATESIZE};
    struct { uint32_t length; off_t private_bytes; } __attribute__((packed, aligned(4))) got;
    if (fgetattrlist(fd, &want, &got, sizeof got, FSOPT_ATTR_CMN_EXTENDED)) return UNKNOWN;
    return (uint64_t)got.private_bytes < allocated ? allocated - (uint64_t)got.private_bytes : 0;
}
#else
static uint64_t shared_in(int fd, uint64_t size) { (void)fd; (void)size; return UNKNOWN; }
#endif

static uint64_t ask_shared(Tree *t, uint32_t entry, uint32_t file) {
    size_t n;
    char *path = path_of(t, entry, &n);
    if (!path) return UNKNOWN;
    int fd = open_without_trace(path, O_NOFOLLOW);
    free(path);
    if (fd < 0) return UNKNOWN;
    struct stat now;
    bool same = !fstat(fd, &now) && now.st_ino == FILE_COLUMN(t, inode, file);
#ifdef __APPLE__
    uint64_t shared = same ? shared_in(fd, FILE_COLUMN(t, allocated, file)) : UNKNOWN;
#else
    uint64_t shared = same ? shared_in(fd, FILE_COLUMN(t, size, file)) : UNKNOWN;
#endif
    close(fd);
    return shared;
}

/* Bytes of the file that stay in use by others; asked once a file. */
static uint64_t shared_bytes(Tree *t, uint32_t entry, uint32_t file) {
    if (!t->shared_extents) t->shared_extents = calloc(atomic_load(&t->file_count), sizeof(uint64_t));
    if (!t->shared_extents) return UNKNOWN;
    if (!t->shared_extents[file]) {
        uint64_t shared = ask_shared(t, entry, file);
        t->shared_extents[file] = shared == UNKNOWN ? UNKNOWN : shared + 1;
    }
    return t->shared_extents[file] == UNKNOWN ? UNKNOWN : t->shared_extents[file] - 1;
}

static void free_file(Sum *s, uint32_t entry, uint32_t file) {
    Tree *t = s->tree;
    uint64_t bytes = FILE_COLUMN(t, allocated, file), shared = 0;
    int sharing = t->devices[FILE_COLUMN(t, device, file)].sharing;
    if (bytes && sharing != PLAIN && S_ISREG(FILE_COLUMN(t, mode, file)))
        shared = sharing == EXTENTS ? shared_bytes(t, entry, file) : UNKNOWN;
    if (shared) s->out->exact = false;
    s->out->freed += shared < bytes ? bytes - shared : 0;
}

/* ---- sums ---- */

static void add_file(Sum *s, uint32_t entry, uint32_t file) {
    Tree *t = s->tree;
    uint16_t mode = FILE_COLUMN(t, mode, file);
    if (S_ISREG(mode) && FILE_COLUMN(t, nlink, file) == 1 && FILE_COLUMN(t, atime, file) > s->out->last_read)
        s->out->last_read = FILE_COLUMN(t, atime, file);   /* a hard link's access time may be another owner's */
    if (FILE_COLUMN(t, mtime, file) > s->out->newest) s->out->newest = FILE_COLUMN(t, mtime, file);
    if (FILE_COLUMN(t, nlink, file) > 1) {
        if (t->names_in_set[file]++) return;
        if (s->count == s->room) {
            size_t room = s->room ? s->room * 2 : 256;
            uint32_t *files = realloc(s->linked, room * sizeof *files);
            if (files) s->linked = files;
            uint32_t *entries = realloc(s->linked_entry, room * sizeof *entries);
            if (entries) s->linked_entry = entries;
            if (!files || !entries) { s->failed = true; t->names_in_set[file] = 0; return; }
            s->room = room;
        }
        s->linked[s->count] = file;
        s->linked_entry[s->count++] = entry;
    } else {
        free_file(s, entry, file);
    }
    s->out->apparent += FILE_COLUMN(t, size, file);
    s->out->allocated += FILE_COLUMN(t, allocated, file);
}

static void add_folder_itself(Sum *s, uint32_t row) {
    Folder *f = folder_at(s->tree, row);
    if (f->flags & NOT_WHOLE) s->out->exact = false;
    if (f->file == NONE || f->flags & (SEEN | BOUNDARY)) return;
    s->out->allocated += FILE_COLUMN(s->tree, allocated, f->file);
    if (s->tree->devices[FILE_COLUMN(s->tree, device, f->file)].sharing == OPAQUE) s->out->exact = false;
    else if (!(s->held && bit(s->held, f->entry))) s->out->freed += FILE_COLUMN(s->tree, allocated, f->file);
}

static bool add_entry(Tree *t, uint32_t e, void *to) {
    Sum *s = to;
    s->out->entries++;
    if (is_folder(entry_at(t, e))) add_folder_itself(s, folder_of(entry_at(t, e)));
    else add_file(s, e, entry_at(t, e)->target);
    return true;
}

/* Whether the visit of another chosen row comes by: nothing kept lies between the two. */
static bool below_chosen(const Sum *s, uint32_t e) {
    for (e = folder_at(s->tree, entry_at(s->tree, e)->folder)->entry; e != NONE;
         e = folder_at(s->tree, entry_at(s->tree, e)->folder)->entry) {
        if (s->kept && bit(s->kept, e)) return false;
        if (bit(s->chosen, e)) return true;
    }
    return false;
}

static void settle_links(Sum *s) {
    for (size_t i = 0; i < s->count; i++) {
        uint32_t file = s->linked[i];
        if (s->tree->names_in_set[file] >= FILE_COLUMN(s->tree, nlink, file)) free_file(s, s->linked_entry[i], file);
        s->tree->names_in_set[file] = 0;
    }
}

int measure(Tree *t, const uint32_t *rows, size_t count, const uint32_t *kept, size_t kept_count, Measure *out) {
    size_t bytes = atomic_load(&t->entry_count) / 8 + 1;
    if (!t->names_in_set) t->names_in_set = calloc(atomic_load(&t->file_count) + 1, sizeof(uint32_t));
    Sum s = {.tree = t, .chosen = calloc(1, bytes), .out = out};
    if (kept_count) { s.kept = calloc(1, bytes); s.held = calloc(1, bytes); }
    *out = (Measure){.exact = !t->partial, .newest = INT64_MIN, .last_read = INT64_MIN};
    s.failed = !s.chosen || !t->names_in_set || (kept_count && (!s.kept || !s.held));
    if (!s.failed) {
        for (size_t i = 0; i < kept_count; i++) {
            set_bit(s.kept, kept[i]);
            for (uint32_t e = kept[i]; e != NONE && !bit(s.held, e); e = folder_at(t, entry_at(t, e)->folder)->entry)
                set_bit(s.held, e);   /* a folder with something kept in it stays */
        }
        for (size_t i = 0; i < count; i++) set_bit(s.chosen, rows[i]);
        for (size_t i = 0; i < count; i++)
            if (!below_chosen(&s, rows[i])) visit_below(t, rows[i], s.kept, add_entry, &s);
        settle_links(&s);
    }
    free(s.chosen); free(s.kept); free(s.held); free(s.linked); free(s.linked_entry);
    return s.failed ? ENOMEM : 0;
}

/* ---- what two sets have in common ---- */

typedef struct { uint32_t stamp; Overlap *out; } Common;

static bool stamp_file(Tree *t, uint32_t e, void *to) {
    if (!is_folder(entry_at(t, e))) t->names_in_set[entry_at(t, e)->target] = *(const uint32_t *)to;
    return true;
}

static bool count_common(Tree *t, uint32_t e, void *to) {
    Common *c = to;
    uint32_t file = entry_at(t, e)->target;
    if (is_folder(entry_at(t, e)) || !t->names_in_set[file] || t->names_in_set[file] == c->stamp) return true;
    t->names_in_set[file] = c->stamp;
    c->out->files++;
    c->out->allocated += FILE_COLUMN(t, allocated, file);
    return true;
}

int overlap(Tree *t, const uint32_t *rows, size_t count, const uint32_t *others, const uint32_t *group, size_t other_count, Overlap *out) {
    if (!t->names_in_set) t->names_in_set = calloc(atomic_load(&t->file_count) + 1, sizeof(uint32_t));
    if (!t->names_in_set) return ENOMEM;
    uint32_t met = 1, clear = 0;
    for (size_t i = 0; i < count; i++) visit_below(t, rows[i], NULL, stamp_file, &met);
    for (size_t i = 0; i < other_count; i++) {
        Common c = {group[i] + 2, &out[group[i]]};   /* the last group that counted the file: once a group */
        visit_below(t, others[i], NULL, count_common, &c);
    }
    for (size_t i = 0; i < count; i++) visit_below(t, rows[i], NULL, stamp_file, &clear);
    return 0;
}
