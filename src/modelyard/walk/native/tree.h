/* The columns of one walk: entries (names), files (inodes) and folders, shared by the walker and the measures. */
#ifndef MODELYARD_TREE_H
#define MODELYARD_TREE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define NONE UINT32_MAX          /* no row */
#define FOLDER_BIT 0x80000000u   /* entry.target names a folder row, not a file row */
#define CHUNK_BITS 16
#define CHUNK (1u << CHUNK_BITS)
#define CHUNK_MASK (CHUNK - 1)
#define MAX_CHUNKS 32768u
#define ARENA_BITS 20
#define ARENA (1u << ARENA_BITS)
#define MAX_ARENAS 4096u
#define SHARDS 64
#define MAX_DEVICES 4096

/* One name in one folder. 16 bytes. */
typedef struct {
    uint32_t name;    /* offset into the name arenas */
    uint32_t folder;  /* folder row that holds the name; 0 holds the walk's starting points */
    uint32_t next;    /* next entry of the same folder */
    uint32_t target;  /* file row, or FOLDER_BIT | folder row, or NONE when it vanished */
} Entry;

/* A block of inodes, one array per column. 60 bytes a file. */
typedef struct {
    uint64_t inode[CHUNK], size[CHUNK], allocated[CHUNK];
    int64_t mtime[CHUNK], ctime[CHUNK], atime[CHUNK];
    uint32_t nlink[CHUNK], uid[CHUNK];
    uint16_t device[CHUNK], mode[CHUNK];
} FileChunk;

enum { UNREADABLE = 1, BOUNDARY = 2, SEEN = 4, HOLDS_MOUNTS = 8, ON_PATH = 16, STOPPED = 32, COVERED = 64 };
#define NOT_WHOLE (UNREADABLE | BOUNDARY | SEEN | STOPPED | COVERED)   /* COVERED: a file in it is mounted over */

/* A folder: its place, and the totals of everything below it. 64 bytes. */
typedef struct {
    uint32_t entry, parent, file;
    _Atomic uint32_t flags, head;
    uint32_t entries;
    uint64_t apparent, allocated;
    int64_t newest;
    uint64_t print;           /* sum over the files below of what tells them from others */
    uint32_t troubles;
} Folder;

enum { PLAIN, EXTENTS, OPAQUE };  /* can files of this file system share extents: no / FIEMAP tells / nobody tells */

typedef struct {
    uint64_t number;
    long type;
    int sharing;
    atomic_bool trusted;  /* d_ino is st_ino: a directory entry identifies its inode */
    atomic_bool described;  /* a folder of it was open, so that its file system is known */
} Device;

typedef struct { uint32_t folder, entry; int error; } Trouble;
typedef struct { uint32_t entry, marker; } Mark;

typedef struct {
    atomic_flag lock;
    uint32_t used, capacity;
    uint64_t *slots;  /* fingerprint << 32 | file row + 1 */
} Shard;

typedef struct {
    Entry *entries[MAX_CHUNKS];
    FileChunk *files[MAX_CHUNKS];
    Folder *folders[MAX_CHUNKS];
    char *arenas[MAX_ARENAS];
    atomic_uint entry_count, file_count, folder_count, arena_count;
    Device devices[MAX_DEVICES];
    atomic_uint device_count;
    Shard shards[SHARDS];
    Trouble *troubles;
    size_t trouble_count, trouble_room;
    Mark *marks;
    size_t mark_count, mark_room;
    uint64_t stat_calls;
    bool partial;
    uint32_t *first_name, *next_name;   /* per file row and per entry row, once somebody asked for the names of a file */
    uint32_t *names_in_set;      /* per file row: names counted by the measure under way */
    uint64_t *shared_extents;    /* per file row: bytes + 1 that other files share, 0 not asked yet */
} Tree;

static inline Entry *entry_at(const Tree *t, uint32_t row) { return &t->entries[row >> CHUNK_BITS][row & CHUNK_MASK]; }
static inline Folder *folder_at(const Tree *t, uint32_t row) { return &t->folders[row >> CHUNK_BITS][row & CHUNK_MASK]; }
static inline const char *name_at(const Tree *t, uint32_t name) { return t->arenas[name >> ARENA_BITS] + (name & (ARENA - 1)); }
#define FILE_COLUMN(t, column, row) ((t)->files[(row) >> CHUNK_BITS]->column[(row) & CHUNK_MASK])
static inline bool is_folder(const Entry *e) { return e->target != NONE && (e->target & FOLDER_BIT); }
static inline uint32_t folder_of(const Entry *e) { return e->target & ~FOLDER_BIT; }

/* What a stat call gave, the same for every back end. Times in nanoseconds since 1970. */
typedef struct {
    uint64_t device, inode, size, allocated;
    int64_t mtime, ctime, atime;
    uint32_t nlink, uid;
    uint16_t mode;
} Stat;

Tree *tree_new(void);
void tree_free(Tree *t);
uint32_t take_entries(Tree *t, uint32_t n);           /* first of n fresh rows, NONE when memory or rows ran out */
uint32_t take_files(Tree *t, uint32_t n);
uint32_t take_folder(Tree *t);
uint32_t take_arena(Tree *t);
uint16_t device_row(Tree *t, uint64_t number, int fd);
void put_file(Tree *t, uint32_t row, uint16_t device, const Stat *s);
uint32_t find_inode(Tree *t, uint16_t device, uint64_t inode);
uint32_t add_inode(Tree *t, uint32_t row, bool *added);  /* the row that stands for this inode from now on */
char *path_of(const Tree *t, uint32_t entry, size_t *length);  /* malloc-ed, NUL-terminated */
void merge_mounted(Tree *t);   /* a mount gave files with one link a second name: one row for both */
void total_folders(Tree *t);
bool chain_names(Tree *t);     /* the names of each file in the order of their rows; false when memory ran out */

typedef bool (*Visit)(Tree *t, uint32_t entry, void *to);   /* whether to go down into a folder */
void visit_below(Tree *t, uint32_t top, const uint8_t *kept, Visit visit, void *to);

typedef struct {
    const char **names; size_t name_count;      /* "prefix" or "*suffix" */
    const char **pruned; size_t pruned_count;   /* folders not to look into */
    const uint32_t *excluded; size_t excluded_count;
    uint64_t cap;
    size_t limit;
} SearchOptions;
int candidates(Tree *t, const SearchOptions *o, uint32_t **rows, size_t *count);   /* rows are malloc-ed */
typedef struct { uint32_t row, needle, offset; } Hit;
int search(const Tree *t, const uint32_t *rows, size_t count, const char **needles, size_t needle_count, size_t cap, int threads, Hit **hits, size_t *hit_count);   /* hits are malloc-ed */

typedef struct { uint64_t size, inode; uint32_t row; uint16_t device; } Sized;
int same_size(Tree *t, const uint32_t *rows, size_t row_count, uint64_t least, Sized **files, size_t *count);   /* malloc-ed; equal sizes together, the largest first, by device and inode */
/* For each row, whose groups have one size each, the place of the first that holds the same; NONE where it cannot be read or is not as the walk saw it. */
int same_content(const Tree *t, const uint32_t *rows, const size_t *groups, size_t group_count, int threads, uint32_t *same, size_t *read);

typedef void (*Each)(void *of, size_t i);
void for_each(size_t count, int threads, Each each, void *of);   /* in any order, by several threads */
int open_without_trace(const char *path, int more);   /* to read; `more` flags of open(2) */

typedef struct { unsigned char *data; size_t size; } Content;
void read_many(const char **paths, size_t count, size_t most, int threads, Content *found);   /* data is malloc-ed; NULL for what is longer or cannot be read */

/* A file as the medium has it: which it was, and all of it or an errno; ESTALE when it was written to meanwhile, EFBIG when it is longer. */
typedef struct { uint64_t device, inode, size; int64_t mtime, ctime; unsigned char *data; int error; } Anew;
void read_anew(const char **paths, size_t count, size_t most, Anew *found);   /* data is malloc-ed */
typedef struct { uint64_t device, at; } Place;
void places(const char **paths, size_t count, int threads, Place *found);     /* both 0 where nobody tells */

bool is_cast(const unsigned char *wide, const unsigned char *narrow, size_t count, bool brain);

typedef struct {
    uint64_t entries, apparent, allocated, freed;
    int64_t newest, last_read;
    bool exact;
} Measure;
typedef struct { uint64_t files, allocated; } Overlap;
int overlap(Tree *t, const uint32_t *rows, size_t count, const uint32_t *others, const uint32_t *group, size_t other_count, Overlap *out);
int measure(Tree *t, const uint32_t *rows, size_t count, const uint32_t *kept, size_t kept_count, Measure *out);

typedef struct {
    uint64_t device, inode;
    const char *name;
    uint64_t mounted;  /* device number of what is mounted there */
} Mount;

typedef struct {
    const char **roots; size_t root_count;
    const char **markers; size_t marker_count;  /* "name", "prefix*" or "*suffix" */
    const Mount *mounts; size_t mount_count;
    int threads;
    bool portable, cross_device;
} WalkOptions;

typedef struct Walk Walk;
Walk *walk_start(Tree *t, const WalkOptions *o);
bool walk_wait(Walk *w, int milliseconds);    /* true when the walk is over */
void walk_stop(Walk *w);
uint32_t walk_folder(Walk *w);                /* entry row of a folder being read, for progress */
uint64_t walk_bytes(Walk *w);
int walk_finish(Walk *w);                     /* joins, totals, frees; errno or 0 */
#endif
