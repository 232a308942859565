/* The lower bound: lists every folder with getdents64 from two threads and stats nothing. Linux only. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct record { uint64_t inode; int64_t offset; uint16_t length; uint8_t type; char name[]; };
struct held { int fd, users; };
struct job { struct held *via; char name[256]; };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static struct job *jobs;
static size_t count, room;
static int idle, done;
static long entries;

static void let_go(struct held *h) {
    if (h && __atomic_sub_fetch(&h->users, 1, __ATOMIC_ACQ_REL) == 0) { close(h->fd); free(h); }
}

static void list(struct job *job, char *buffer, long *seen) {
    int fd = openat(job->via ? job->via->fd : AT_FDCWD, job->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME);
    if (fd < 0) return;
    struct held *h = malloc(sizeof *h);
    *h = (struct held){fd, 1};
    for (long n; (n = syscall(SYS_getdents64, fd, buffer, 65536)) > 0;) {
        pthread_mutex_lock(&lock);
        for (long at = 0; at < n;) {
            struct record *r = (struct record *)(buffer + at);
            at += r->length;
            if (!strcmp(r->name, ".") || !strcmp(r->name, "..")) continue;
            ++*seen;
            if (r->type != DT_DIR) continue;
            if (count == room) jobs = realloc(jobs, (room = room ? room * 2 : 1024) * sizeof *jobs);
            __atomic_add_fetch(&h->users, 1, __ATOMIC_ACQ_REL);
            jobs[count].via = h;
            strcpy(jobs[count++].name, r->name);
        }
        if (idle) pthread_cond_broadcast(&more);
        pthread_mutex_unlock(&lock);
    }
    let_go(h);
}

static void *run(void *unused) {
    (void)unused;
    char *buffer = malloc(65536);
    long seen = 0;
    pthread_mutex_lock(&lock);
    while (!done) {
        if (count) {
            struct job job = jobs[--count];
            pthread_mutex_unlock(&lock);
            list(&job, buffer, &seen);
            let_go(job.via);
            pthread_mutex_lock(&lock);
        } else if (idle == 1) {
            done = 1;
            pthread_cond_broadcast(&more);
        } else {
            idle++;
            pthread_cond_wait(&more, &lock);
            idle--;
        }
    }
    entries += seen;
    pthread_mutex_unlock(&lock);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 2 || strlen(argv[1]) > 4095) return 2;
    char *end = strrchr(argv[1], '/');
    (void)end;
    jobs = malloc(1024 * sizeof *jobs);
    room = 1024;
    if (chdir(argv[1])) return 1;
    jobs[0].via = NULL;
    strcpy(jobs[0].name, ".");
    count = 1;
    pthread_t other;
    pthread_create(&other, NULL, run, NULL);
    run(NULL);
    pthread_join(other, NULL);
    printf("%ld\n", entries);
    return 0;
}
