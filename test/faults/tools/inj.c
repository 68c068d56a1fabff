/*
 * inj.c: makes chosen system calls of one process fail, lie, stall or kill it. Loaded with LD_PRELOAD, needs no root.
 *
 * Build:  cc -O2 -Wall -shared -fPIC -o inj.so inj.c -ldl
 * Use:    INJ="msync:EIO:3,fdatasync:ENOSPC:1+" LD_PRELOAD=./inj.so node app.js
 *
 * INJ        rules CALL:ACTION:N separated by commas. N is the ordinal of the call, counted over the whole process
 *            (all threads together), from 1; "N+" means from the Nth on. The first rule that matches wins.
 *   CALL     msync fsync fdatasync ftruncate fallocate open rename unlink write pwrite mmap
 *            (the 64-bit and vector variants count under the plain name, posix_fallocate under fallocate)
 *   ACTION   EIO ENOSPC EDQUOT EFBIG EROFS EMFILE ENOMEM EINTR  fail with that error, without doing the call
 *            KILL    SIGKILL to the own process before the call is done (a crash point)
 *            LIE     report success without doing the call (a disk that ignores flushes, a lost rename ...)
 *            SHORT   write and pwrite only: write half of the bytes and say so
 *            SLOW<ms> sleep that long, then do the call
 * INJ_PATH   count only calls on files whose path contains this text. Give it whenever a rule names open, rename, unlink,
 *            write, pwrite or mmap: a runtime calls those for its own purposes too. msync has no path and is always counted,
 *            mmap only with a file.
 * INJ_TRACE  append one line per counted call, "CALL N hit-or-dash PATH", to this file: the way to learn how many
 *            crash points a workload has. It holds every line up to the moment of a KILL.
 *
 * Seen are calls that go through the C library's dynamic symbols: Node itself, addons, Python. Not seen are io_uring
 * (set UV_USE_IO_URING=0) and symbols taken from one library by name: with koffi write koffi.load(null), not
 * koffi.load('libc.so.6'), at least under test.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { MSYNC, FSYNC, FDATASYNC, FTRUNCATE, FALLOCATE, OPEN, RENAME, UNLINK, WRITE, PWRITE, MMAP, CALLS };
static const char *const names[CALLS] = {"msync", "fsync", "fdatasync", "ftruncate", "fallocate",
                                         "open",  "rename", "unlink",   "write",     "pwrite", "mmap"};
enum { KILL = -1, LIE = -2, SHORT = -3, SLOW = -4 }; /* positive actions are errno values */

static struct rule { int call, action, from, onwards, ms; } rules[64];
static int n_rules, count[CALLS], trace_fd = -1;
static const char *path_part;

static int parse_action(const char *word, int *ms) {
  static const struct { const char *name; int action; } table[] = {
      {"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EROFS", EROFS}, {"EMFILE", EMFILE}, {"EFBIG", EFBIG}, {"ENOMEM", ENOMEM},
      {"EINTR", EINTR}, {"KILL", KILL}, {"LIE", LIE}, {"SHORT", SHORT}};
  for (size_t i = 0; i < sizeof table / sizeof *table; i++)
    if (!strcmp(word, table[i].name)) return table[i].action;
  if (!strncmp(word, "SLOW", 4)) { *ms = atoi(word + 4); return SLOW; }
  return 0;
}

static void die(const char *why, const char *what) {
  fprintf(stderr, "inj: %s: %s\n", why, what);
  _exit(125);
}

__attribute__((constructor)) static void setup(void) {
  const char *spec = getenv("INJ"), *trace = getenv("INJ_TRACE");
  path_part = getenv("INJ_PATH");
  if (trace && *trace) trace_fd = syscall(SYS_openat, AT_FDCWD, trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (!spec || !*spec) return;
  char *copy = strdup(spec), *save;
  for (char *one = strtok_r(copy, ",", &save); one; one = strtok_r(NULL, ",", &save)) {
    char call[16], action[16], plus = 0;
    struct rule r = {-1, 0, 0, 0, 0};
    if (sscanf(one, "%15[^:]:%15[^:]:%d%c", call, action, &r.from, &plus) < 3) die("cannot read rule", one);
    for (int i = 0; i < CALLS; i++) if (!strcmp(call, names[i])) r.call = i;
    r.action = parse_action(action, &r.ms);
    r.onwards = plus == '+';
    if (r.call < 0 || !r.action || r.from < 1) die("unknown call, action or ordinal", one);
    if (n_rules == (int)(sizeof rules / sizeof *rules)) die("too many rules", one);
    rules[n_rules++] = r;
  }
  free(copy);
}

static const char *fd_path(int fd, char *buf, size_t size) {
  char link[40];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, buf, size - 1);
  buf[n < 0 ? 0 : n] = 0;
  return buf;
}

/* Counts the call; returns 0 to go on, or the action. SLOW is served here. path NULL: not filtered. */
static int decide(int call, const char *path) {
  if (path && path_part && !strstr(path, path_part)) return 0;
  int n = __sync_add_and_fetch(&count[call], 1);
  const struct rule *hit = NULL;
  for (int i = 0; i < n_rules && !hit; i++)
    if (rules[i].call == call && (n == rules[i].from || (rules[i].onwards && n > rules[i].from))) hit = &rules[i];
  if (trace_fd >= 0) {
    char line[512];
    int len = snprintf(line, sizeof line, "%s %d %s %s\n", names[call], n, hit ? "hit" : "-", path ? path : "");
    if (len >= (int)sizeof line) len = sizeof line - 1;
    syscall(SYS_write, trace_fd, line, len);
  }
  if (!hit) return 0;
  if (hit->action == KILL) { kill(getpid(), SIGKILL); for (;;) pause(); }
  if (hit->action == SLOW) {
    struct timespec t = {hit->ms / 1000, hit->ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
    return 0;
  }
  return hit->action;
}

#define REAL(name) ({ static __typeof__(&name) f; if (!f) f = (__typeof__(f))dlsym(RTLD_NEXT, #name); f; })
#define FD_PATH(fd) (path_part || trace_fd >= 0 ? fd_path(fd, buf, sizeof buf) : NULL)

/* A call whose failure is -1 and errno. */
#define PLAIN(call, path, name, args)                     \
  int e = decide(call, path);                             \
  if (e > 0) { errno = e; return -1; }                    \
  return e == LIE ? 0 : REAL(name) args;

int msync(void *a, size_t l, int f) { PLAIN(MSYNC, NULL, msync, (a, l, f)) }
int fsync(int fd) { char buf[256]; PLAIN(FSYNC, FD_PATH(fd), fsync, (fd)) }
int fdatasync(int fd) { char buf[256]; PLAIN(FDATASYNC, FD_PATH(fd), fdatasync, (fd)) }
int ftruncate(int fd, off_t l) { char buf[256]; PLAIN(FTRUNCATE, FD_PATH(fd), ftruncate, (fd, l)) }
int ftruncate64(int fd, off64_t l) { char buf[256]; PLAIN(FTRUNCATE, FD_PATH(fd), ftruncate64, (fd, l)) }
int fallocate(int fd, int m, off_t o, off_t l) { char buf[256]; PLAIN(FALLOCATE, FD_PATH(fd), fallocate, (fd, m, o, l)) }
int fallocate64(int fd, int m, off64_t o, off64_t l) { char buf[256]; PLAIN(FALLOCATE, FD_PATH(fd), fallocate64, (fd, m, o, l)) }
int rename(const char *a, const char *b) { PLAIN(RENAME, b, rename, (a, b)) }
int unlink(const char *p) { PLAIN(UNLINK, p, unlink, (p)) }

/* posix_fallocate returns the error itself. */
int posix_fallocate(int fd, off_t o, off_t l) {
  char buf[256];
  int e = decide(FALLOCATE, FD_PATH(fd));
  return e > 0 ? e : e == LIE ? 0 : REAL(posix_fallocate)(fd, o, l);
}
int posix_fallocate64(int fd, off64_t o, off64_t l) {
  char buf[256];
  int e = decide(FALLOCATE, FD_PATH(fd));
  return e > 0 ? e : e == LIE ? 0 : REAL(posix_fallocate64)(fd, o, l);
}

#define MAPPER(name, offset)                                                \
  void *name(void *a, size_t l, int p, int f, int fd, offset o) {           \
    char buf[256];                                                          \
    int e = fd < 0 || !path_part ? 0 : decide(MMAP, fd_path(fd, buf, sizeof buf)); \
    if (e > 0) { errno = e; return MAP_FAILED; }                            \
    return REAL(name)(a, l, p, f, fd, o);                                   \
  }
MAPPER(mmap, off_t)
MAPPER(mmap64, off64_t)

#define OPENER(name)                                                        \
  int name(const char *p, int flags, ...) {                                 \
    va_list ap;                                                             \
    va_start(ap, flags);                                                    \
    mode_t mode = va_arg(ap, mode_t);                                       \
    va_end(ap);                                                             \
    int e = decide(OPEN, p);                                                \
    if (e > 0) { errno = e; return -1; }                                    \
    return REAL(name)(p, flags, mode);                                      \
  }
OPENER(open)
OPENER(open64)

/* Writes: LIE claims all bytes, SHORT does half of them (never none). */
#define WRITER(call, name, params, short_args, args)                        \
  ssize_t name params {                                                     \
    char buf[256];                                                          \
    int e = decide(call, FD_PATH(fd));                                      \
    if (e > 0) { errno = e; return -1; }                                    \
    if (e == LIE) return n;                                                 \
    if (e == SHORT && n > 1) return REAL(name) short_args;                  \
    return REAL(name) args;                                                 \
  }
WRITER(WRITE, write, (int fd, const void *b, size_t n), (fd, b, n / 2), (fd, b, n))
WRITER(PWRITE, pwrite, (int fd, const void *b, size_t n, off_t o), (fd, b, n / 2, o), (fd, b, n, o))
WRITER(PWRITE, pwrite64, (int fd, const void *b, size_t n, off64_t o), (fd, b, n / 2, o), (fd, b, n, o))

/* Vector writes: LIE claims all bytes, SHORT does the first vector only. */
static ssize_t total(const struct iovec *v, int n) {
  ssize_t sum = 0;
  while (n-- > 0) sum += v[n].iov_len;
  return sum;
}
#define VECTOR(call, name, params, short_args, args)                        \
  ssize_t name params {                                                     \
    char buf[256];                                                          \
    int e = decide(call, FD_PATH(fd));                                      \
    if (e > 0) { errno = e; return -1; }                                    \
    if (e == LIE) return total(v, n);                                       \
    if (e == SHORT && n > 1) return REAL(name) short_args;                  \
    return REAL(name) args;                                                 \
  }
VECTOR(WRITE, writev, (int fd, const struct iovec *v, int n), (fd, v, 1), (fd, v, n))
VECTOR(PWRITE, pwritev, (int fd, const struct iovec *v, int n, off_t o), (fd, v, 1, o), (fd, v, n, o))
VECTOR(PWRITE, pwritev64, (int fd, const struct iovec *v, int n, off64_t o), (fd, v, 1, o), (fd, v, n, o))
