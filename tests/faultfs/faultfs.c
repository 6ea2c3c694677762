/* Faults below a database: preloaded into a process, it stands between that process and libc's
 * calls that sync and write files. Which files: GREENROOM_FAULTFS_MATCH, a part of their paths.
 *
 * What happens is read anew at every call from the file GREENROOM_FAULTFS_CONTROL, four numbers:
 *   sync_delay_ms  sync_hold  sync_errno  write_errno
 * A sync first waits while sync_hold is not 0, then for sync_delay_ms, then fails with sync_errno
 * if that is not 0, and is done otherwise. A write fails with write_errno if that is not 0.
 *
 * What happened goes to the file GREENROOM_FAULTFS_LOG, one line each:
 *   <what> <nanoseconds since 1970> <path>
 * with what: sync-begun, sync-held, sync-failed, sync-done, write-failed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct faults { int sync_delay_ms, sync_hold, sync_errno, write_errno; };

static void *libc_function(const char *name) { return dlsym(RTLD_NEXT, name); }

/* Whether the descriptor is one of the matched files; its path. */
static int matches(int fd, char path[PATH_MAX]) {
    const char *part = getenv("GREENROOM_FAULTFS_MATCH");
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (part == NULL || length < 0) return 0;
    path[length] = 0;
    return strstr(path, part) != NULL;
}

static struct faults read_faults(void) {
    struct faults faults = {0, 0, 0, 0};
    char text[128] = {0};
    const char *control = getenv("GREENROOM_FAULTFS_CONTROL");
    int fd = control == NULL ? -1 : open(control, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return faults;
    if (read(fd, text, sizeof text - 1) > 0)
        sscanf(text, "%d %d %d %d", &faults.sync_delay_ms, &faults.sync_hold, &faults.sync_errno,
               &faults.write_errno);
    close(fd);
    return faults;
}

static void say(const char *what, const char *path) {
    static ssize_t (*libc_write)(int, const void *, size_t);
    if (libc_write == NULL) libc_write = libc_function("write");
    const char *log = getenv("GREENROOM_FAULTFS_LOG");
    int fd = log == NULL ? -1 : open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return;
    struct timespec now;
    char line[PATH_MAX + 64];
    clock_gettime(CLOCK_REALTIME, &now);
    int length = snprintf(line, sizeof line, "%s %lld %s\n", what,
                          now.tv_sec * 1000000000LL + now.tv_nsec, path);
    if (libc_write(fd, line, (size_t)length) < 0) { /* the test misses the line and says so */ }
    close(fd);
}

static int sync_with_faults(int fd, int (*libc_sync)(int)) {
    char path[PATH_MAX];
    if (!matches(fd, path)) return libc_sync(fd);
    say("sync-begun", path);
    struct faults faults = read_faults();
    if (faults.sync_hold) say("sync-held", path);
    while (faults.sync_hold) {
        usleep(1000);
        faults = read_faults();
    }
    usleep((useconds_t)faults.sync_delay_ms * 1000);
    if (faults.sync_errno) {
        say("sync-failed", path);
        errno = faults.sync_errno;
        return -1;
    }
    int done = libc_sync(fd);
    say("sync-done", path);
    return done;
}

static int write_fails(int fd) {
    char path[PATH_MAX];
    if (!matches(fd, path)) return 0;
    int error = read_faults().write_errno;
    if (error == 0) return 0;
    say("write-failed", path);
    errno = error;
    return 1;
}

int fsync(int fd) {
    static int (*libc)(int);
    if (libc == NULL) libc = libc_function("fsync");
    return sync_with_faults(fd, libc);
}

int fdatasync(int fd) {
    static int (*libc)(int);
    if (libc == NULL) libc = libc_function("fdatasync");
    return sync_with_faults(fd, libc);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    static ssize_t (*libc)(int, const void *, size_t);
    if (libc == NULL) libc = libc_function("write");
    return write_fails(fd) ? -1 : libc(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    static ssize_t (*libc)(int, const void *, size_t, off_t);
    if (libc == NULL) libc = libc_function("pwrite");
    return write_fails(fd) ? -1 : libc(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    static ssize_t (*libc)(int, const void *, size_t, off64_t);
    if (libc == NULL) libc = libc_function("pwrite64");
    return write_fails(fd) ? -1 : libc(fd, bytes, count, offset);
}
