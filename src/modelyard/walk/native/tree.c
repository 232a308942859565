/* Rows that never move: chunks are added while several threads write and one reads progress. */
#include "tree.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/vfs.h>
#else
#include <sys/mount.h>
#include <sys/param.h>
#endif

Tree *tree_new(void) {
    Tree *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    for (int i = 0; i < SHARDS; i++) atomic_flag_clear(&t->shards[i].lock);
    uint32_t top = take_folder(t);
    if (top == NONE) { tree_free(t); return NULL; }
    folder_at(t, top)->parent = folder_at(t, top)->entry = folder_at(t, top)->file = NONE;
    return t;
}

void tree_free(Tree *t) {
    if (!t) return;
    for (size_t i = 0; i < MAX_CHUNKS && t->entries[i]; i++) free(t->entries[i]);
    for (size_t i = 0; i < MAX_CHUNKS && t->files[i]; i++) free(t->files[i]);
    for (size_t i = 0; i < MAX_CHUNKS && t->folders[i]; i++) free(t->folders[i]);
    for (size_t i = 0; i < MAX_ARENAS && t->arenas[i]; i++) free(t->arenas[i]);
    for (size_t i = 0; i < SHARDS; i++) free(t->shards[i].slots);
    free(t->troubles); free(t->marks); free(t->names_in_set); free(t->shared_extents);
    free(t->first_name); free(t->next_name); free(t);
}

/* Makes sure that chunks exist up to and with the last row; once there a chunk stays where it is. */
static bool ensure(void **chunks, uint32_t first, uint32_t n, size_t size) {
    static atomic_flag lock = ATOMIC_FLAG_INIT;
    for (uint32_t c = first >> CHUNK_BITS; c <= (first + n - 1) >> CHUNK_BITS; c++) {
        if (c >= MAX_CHUNKS) return false;
        if (__atomic_load_n(&chunks[c], __ATOMIC_ACQUIRE)) continue;
        while (atomic_flag_test_and_set(&lock)) sched_yield();
        if (!chunks[c]) __atomic_store_n(&chunks[c], calloc(1, size), __ATOMIC_RELEASE);
        bool there = chunks[c] != NULL;
        atomic_flag_clear(&lock);
        if (!there) return false;
    }
    return true;
}

uint32_t take_entries(Tree *t, uint32_t n) {
    uint32_t first = atomic_fetch_add(&t->entry_count, n);
    if (!ensure((void **)t->entries, first, n, sizeof(Entry) * CHUNK)) return NONE;
    for (uint32_t i = 0; i < n; i++) entry_at(t, first + i)->target = NONE;
    return first;
}

uint32_t take_files(Tree *t, uint32_t n) {
    uint32_t first = atomic_fetch_add(&t->file_count, n);
    return ensure((void **)t->files, first, n, sizeof(FileChunk)) ? first : NONE;
}

uint32_t take_folder(Tree *t) {
    uint32_t row = atomic_fetch_add(&t->folder_count, 1);
    if (!ensure((void **)t->folders, row, 1, sizeof(Folder) * CHUNK)) return NONE;
    Folder *f = folder_at(t, row);
    atomic_store(&f->head, NONE);
    f->file = NONE;
    f->newest = INT64_MIN;
    return row;
}

uint32_t take_arena(Tree *t) {
    uint32_t a = atomic_fetch_add(&t->arena_count, 1);
    if (a >= MAX_ARENAS) return NONE;
    t->arenas[a] = malloc(ARENA);
    return t->arenas[a] ? a : NONE;
}

void put_file(Tree *t, uint32_t row, uint16_t device, const Stat *s) {
    FileChunk *c = t->files[row >> CHUNK_BITS];
    uint32_t i = row & CHUNK_MASK;
    c->inode[i] = s->inode; c->size[i] = s->size; c->allocated[i] = s->allocated;
    c->mtime[i] = s->mtime; c->ctime[i] = s->ctime; c->atime[i] = s->atime;
    c->nlink[i] = s->nlink; c->uid[i] = s->uid; c->mode[i] = s->mode; c->device[i] = device;
}

/* File systems whose directory entries carry st_ino, and what they can say about shared extents. */
static void describe_device(Device *d, int fd) {
    d->sharing = OPAQUE;
#ifdef __linux__
    struct statfs fs;
    if (fstatfs(fd, &fs)) return;
    d->type = (long)fs.f_type;
    switch ((unsigned long)fs.f_type) {
    case 0xEF53: case 0x01021994: case 0xF2F52010: case 0x4d44: case 0x2011BAB0:  /* ext, tmpfs, f2fs, vfat, exfat */
        d->sharing = PLAIN; break;
    case 0x58465342: case 0x9123683E: case 0xca451a4e:                            /* xfs, btrfs, bcachefs */
        d->sharing = EXTENTS; break;
    }
    atomic_store(&d->trusted, fs.f_type == 0xEF53 || fs.f_type == 0x01021994 || fs.f_type == 0xF2F52010
                 || fs.f_type == 0x58465342 || fs.f_type == 0x9123683E);
#else
    (void)fd;
    d->sharing = EXTENTS;
#endif
}

uint16_t device_row(Tree *t, uint64_t number, int fd) {
    static atomic_flag lock = ATOMIC_FLAG_INIT;
    uint32_t n = atomic_load(&t->device_count);
    for (uint32_t i = 0; i < n; i++)
        if (t->devices[i].number == number && (fd < 0 || atomic_load(&t->devices[i].described))) return (uint16_t)i;
    while (atomic_flag_test_and_set(&lock)) sched_yield();
    n = atomic_load(&t->device_count);
    uint32_t i = 0;
    while (i < n && t->devices[i].number != number) i++;
    if (i == n && n < MAX_DEVICES) {
        t->devices[n].number = number;
        t->devices[n].sharing = OPAQUE;
        atomic_store(&t->device_count, n + 1);
    }
    if (i < MAX_DEVICES && fd >= 0 && !atomic_load(&t->devices[i].described)) {
        describe_device(&t->devices[i], fd);
        atomic_store(&t->devices[i].described, true);
    }
    atomic_flag_clear(&lock);
    return (uint16_t)(i < MAX_DEVICES ? i : MAX_DEVICES - 1);
}

static uint64_t mix(uint64_t device, uint64_t inode) {
    uint64_t h = (inode ^ (device << 48)) * 0x9E3779B97F4A7C15u;
    h ^= h >> 32;
    return h * 0xD6E8FEB86659FD93u;
}

static bool is_inode(const Tree *t, uint32_t row, uint16_t device, uint64_t inode) {
    return FILE_COLUMN(t, inode, row) == inode && FILE_COLUMN(t, device, row) == device;
}

static uint32_t probe(const Tree *t, const Shard *s, uint64_t h, uint16_t device, uint64_t inode, uint32_t *free_slot) {
    uint32_t mask = s->capacity - 1, print = (uint32_t)(h >> 32);
    for (uint32_t i = (uint32_t)h & mask;; i = (i + 1) & mask) {
        uint64_t slot = s->slots[i];
        if (!slot) { *free_slot = i; return NONE; }
        if ((uint32_t)(slot >> 32) == print && is_inode(t, (uint32_t)slot - 1, device, inode)) return (uint32_t)slot - 1;
    }
}

static bool grow(Tree *t, Shard *s) {
    uint32_t room = s->capacity ? s->capacity * 2 : 64;
    uint64_t *slots = calloc(room, sizeof *slots);
    if (!slots) return false;
    for (uint32_t i = 0; i < s->capacity; i++) {
        if (!s->slots[i]) continue;
        uint32_t row = (uint32_t)s->slots[i] - 1;
        uint64_t h = mix(FILE_COLUMN(t, device, row), FILE_COLUMN(t, inode, row));
        uint32_t j = (uint32_t)h & (room - 1);
        while (slots[j]) j = (j + 1) & (room - 1);
        slots[j] = s->slots[i];
    }
    free(s->slots);
    s->slots = slots;
    s->capacity = room;
    return true;
}

static Shard *locked_shard(Tree *t, uint64_t h) {
    Shard *s = &t->shards[(h >> 26) % SHARDS];
    while (atomic_flag_test_and_set_explicit(&s->lock, memory_order_acquire)) sched_yield();
    return s;
}

uint32_t find_inode(Tree *t, uint16_t device, uint64_t inode) {
    uint64_t h = mix(device, inode);
    uint32_t slot, row = NONE;
    Shard *s = locked_shard(t, h);
    if (s->used) row = probe(t, s, h, device, inode, &slot);
    atomic_flag_clear_explicit(&s->lock, memory_order_release);
    return row;
}

uint32_t add_inode(Tree *t, uint32_t row, bool *added) {
    uint16_t device = FILE_COLUMN(t, device, row);
    uint64_t inode = FILE_COLUMN(t, inode, row), h = mix(device, inode);
    Shard *s = locked_shard(t, h);
    uint32_t slot = 0, found = NONE;
    *added = false;
    if (s->used * 2 < s->capacity || grow(t, s)) {
        found = probe(t, s, h, device, inode, &slot);
        if (found == NONE) {
            s->slots[slot] = (h >> 32 << 32) | (row + 1);
            s->used++;
            *added = true;
            found = row;
        }
    }
    atomic_flag_clear_explicit(&s->lock, memory_order_release);
    return found;
}

bool chain_names(Tree *t) {
    if (t->first_name) return true;
    uint32_t entries = atomic_load(&t->entry_count), files = atomic_load(&t->file_count);
    uint32_t *first = malloc((files + 1) * sizeof *first), *next = malloc((entries + 1) * sizeof *next);
    if (!first || !next) { free(first); free(next); return false; }
    for (uint32_t f = 0; f < files; f++) first[f] = NONE;
    for (uint32_t e = entries; e-- > 0;) {
        if (entry_at(t, e)->target == NONE || is_folder(entry_at(t, e))) continue;
        next[e] = first[entry_at(t, e)->target];
        first[entry_at(t, e)->target] = e;
    }
    t->first_name = first;
    t->next_name = next;
    return true;
}

char *path_of(const Tree *t, uint32_t entry, size_t *length) {
    size_t n = 0;
    for (uint32_t e = entry; e != NONE; e = folder_at(t, entry_at(t, e)->folder)->entry)
        n += strlen(name_at(t, entry_at(t, e)->name)) + 1;
    char *path = malloc(n + 1), *end = path ? path + n : NULL;
    if (!path) return NULL;
    *end = 0;
    for (uint32_t e = entry; e != NONE; e = folder_at(t, entry_at(t, e)->folder)->entry) {
        const char *name = name_at(t, entry_at(t, e)->name);
        size_t k = strlen(name);
        end -= k;
        memcpy(end, name, k);
        *--end = '/';
    }
    /* A starting point carries its whole path: drop the slash that was put before it. */
    size_t skip = path[0] == '/' && path[1] == '/' ? 1 : 0;
    memmove(path, path + skip, n - skip + 1);
    if (path[0] == '/' && path[1] == '/') { memmove(path, path + 1, n - skip); skip++; }
    *length = n - skip;
    return path;
}

/* Folders in depth-first order, every multi-link inode counted where its names meet: at each further
   name the bytes are taken off again at the lowest folder that already holds them, so every folder's
   total is what a walk of that folder alone would give. Sums wrap around and come out right. */
typedef struct { uint32_t *last; uint32_t memo_last, memo_meet; } Meeting;

static void meet(Tree *t, Meeting *m, uint32_t folder, uint32_t file) {
    uint32_t before = m->last[file];
    m->last[file] = folder + 1;
    if (!before) return;
    if (before != m->memo_last) {
        uint32_t f = before - 1;
        while (!(folder_at(t, f)->flags & ON_PATH)) f = folder_at(t, f)->parent;
        m->memo_last = before;
        m->memo_meet = f;
    }
    Folder *common = folder_at(t, m->memo_meet);
    common->apparent -= FILE_COLUMN(t, size, file);
    common->allocated -= FILE_COLUMN(t, allocated, file);
}

static uint64_t mixed(uint64_t x) {                  /* splitmix64's finaliser */
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* Which file it is and what was last written: another file of the same size and an older time is another one. */
static uint64_t print_of(const Tree *t, uint32_t file) {
    uint64_t seen = mixed((uint64_t)FILE_COLUMN(t, inode, file) + 0x9e3779b97f4a7c15u);
    seen = mixed(seen ^ (uint64_t)FILE_COLUMN(t, size, file));
    return mixed(seen ^ (uint64_t)FILE_COLUMN(t, mtime, file));
}

static void count_entries(Tree *t, Meeting *m, uint32_t row) {
    Folder *f = folder_at(t, row);
    f->flags |= ON_PATH;
    m->memo_last = 0;
    if (f->file != NONE && !(f->flags & (SEEN | BOUNDARY))) f->allocated += FILE_COLUMN(t, allocated, f->file);
    if (f->flags & NOT_WHOLE) f->troubles++;
    for (uint32_t e = atomic_load(&f->head); e != NONE; e = entry_at(t, e)->next) {
        uint32_t file = entry_at(t, e)->target;
        if (file == NONE) continue;
        f->entries++;
        if (file & FOLDER_BIT) continue;
        f->apparent += FILE_COLUMN(t, size, file);
        f->allocated += FILE_COLUMN(t, allocated, file);
        if (FILE_COLUMN(t, mtime, file) > f->newest) f->newest = FILE_COLUMN(t, mtime, file);
        f->print += print_of(t, file);
        if (FILE_COLUMN(t, nlink, file) > 1) meet(t, m, row, file);
    }
}

static uint32_t next_folder(const Tree *t, uint32_t e) {
    while (e != NONE && !is_folder(entry_at(t, e))) e = entry_at(t, e)->next;
    return e;
}

void merge_mounted(Tree *t) {
    uint32_t entries = atomic_load(&t->entry_count);
    for (uint32_t i = 0; i < entries; i++) {
        Entry *e = entry_at(t, i);
        if (e->target == NONE || is_folder(e)) continue;
        uint32_t known = find_inode(t, FILE_COLUMN(t, device, e->target), FILE_COLUMN(t, inode, e->target));
        if (known != NONE) e->target = known;
    }
}

void total_folders(Tree *t) {
    uint32_t folders = atomic_load(&t->folder_count);
    Meeting m = {.last = calloc(atomic_load(&t->file_count) + 1, sizeof(uint32_t))};
    uint32_t *cursor = malloc(folders * sizeof *cursor);
    if (!m.last || !cursor) { t->partial = true; free(m.last); free(cursor); return; }
    for (uint32_t row = 0; row != NONE;) {           /* cursor[row]: where the descent below row stands */
        Folder *f = folder_at(t, row);
        if (!(f->flags & ON_PATH)) {
            count_entries(t, &m, row);
            cursor[row] = next_folder(t, atomic_load(&f->head));
        }
        uint32_t e = cursor[row];
        if (e == NONE) {
            f->flags &= ~ON_PATH;
            row = f->parent;
        } else {
            cursor[row] = next_folder(t, entry_at(t, e)->next);
            row = folder_of(entry_at(t, e));
        }
    }
    for (uint32_t row = folders; --row > 0;) {       /* children have higher rows than their parents */
        Folder *f = folder_at(t, row), *p = folder_at(t, f->parent);
        p->apparent += f->apparent; p->allocated += f->allocated; p->entries += f->entries; p->troubles += f->troubles;
        if (f->newest > p->newest) p->newest = f->newest;
        p->print += f->print;
    }
    free(m.last);
    free(cursor);
}
