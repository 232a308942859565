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

int open_without_trace(const char *path, int more) {
    int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | more, fd = open(path, flags | O_NOATIME);
    return fd < 0 && errno == EPERM ? open(path, flags) : fd;
}

/* ---- several threads ---- */

typedef struct {
    size_t count;
    Each each;
    void *of;
    atomic_size_t next;
} Turns;

static void *take_turns(void *of) {
    Turns *t = of;
    for (size_t i; (i = atomic_fetch_add(&t->next, 1)) < t->count;) t->each(t->of, i);
    return NULL;
}

void for_each(size_t count, int threads, Each each, void *of) {
    Turns t = {.count = count, .each = each, .of = of};
    pthread_t others[16];
    int running = 0, wanted = threads < 17 ? threads - 1 : 16;
    while (running < wanted && (size_t)running + 1 < count && !pthread_create(&others[running], NULL, take_turns, &t)) running++;
    take_turns(&t);
    for (int i = 0; i < running; i++) pthread_join(others[i], NULL);
}

/* ---- what they hold ---- */

typedef struct {
    const char **paths;
    size_t most;
    Content *found;
} Many;

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

static void read_one(void *of, size_t i) {
    Many *m = of;
    int fd = open_without_trace(m->paths[i], 0);
    if (fd < 0) return;
    read_all(fd, m->most, &m->found[i]);
    close(fd);
}

void read_many(const char **paths, size_t count, size_t most, int threads, Content *found) {
    Many m = {.paths = paths, .most = most, .found = found};
    for_each(count, threads, read_one, &m);
}
