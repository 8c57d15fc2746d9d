/*
 * An ordinary C program, as wasi-libc builds it, that uses what its surroundings give it and tells what it found. It
 * becomes a component by the adapter that everybody uses for such programs. The first argument says what it does.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static int surroundings(int count, char **arguments) {
  for (int index = 0; index < count; index++) printf("argument %s\n", arguments[index]);
  for (char **variable = environ; *variable != NULL; variable++) printf("variable %s\n", *variable);
  unsigned char random[16] = {0};
  const int got = getentropy(random, sizeof random);
  printf("random %d\n", got);
  char line[128];
  while (fgets(line, sizeof line, stdin) != NULL) printf("line %s", line);
  fprintf(stderr, "done\n");
  return 0;
}

static int clocks(void) {
  struct timespec before, after, wait = {0, 20 * 1000 * 1000};
  clock_gettime(CLOCK_MONOTONIC, &before);
  nanosleep(&wait, NULL);
  clock_gettime(CLOCK_MONOTONIC, &after);
  const long long passed = (after.tv_sec - before.tv_sec) * 1000000000LL + after.tv_nsec - before.tv_nsec;
  printf("slept %s\n", passed >= 20 * 1000 * 1000 ? "long enough" : "too short");
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  printf("now %s\n", now.tv_sec > 1600000000 ? "plausible" : "wrong");
  struct pollfd input = {.fd = 0, .events = POLLIN};
  printf("poll %d\n", poll(&input, 1, 1000));
  return 0;
}

static void fail(const char *what) {
  printf("%s: %s\n", what, strerror(errno));
  exit(3);
}

static int by_name(const struct dirent **left, const struct dirent **right) { return strcmp((*left)->d_name, (*right)->d_name); }

static void list(const char *path) {
  struct dirent **entries;
  const int count = scandir(path, &entries, NULL, by_name);
  if (count < 0) fail("scandir");
  for (int index = 0; index < count; index++) {
    if (entries[index]->d_name[0] != '.') printf("entry %s %s\n", entries[index]->d_name, entries[index]->d_type == DT_DIR ? "directory" : "file");
  }
}

static int files(const char *folder) {
  if (chdir(folder) != 0) fail("chdir");
  FILE *file = fopen("a.txt", "w+");
  if (file == NULL) fail("fopen");
  for (int line = 0; line < 10000; line++) fprintf(file, "line %d\n", line);
  rewind(file);
  char line[64];
  int lines = 0;
  while (fgets(line, sizeof line, file) != NULL) lines++;
  fclose(file);
  printf("lines %d, last %s", lines, line);
  if (mkdir("d", 0755) != 0) fail("mkdir");
  if (rename("a.txt", "d/b.txt") != 0) fail("rename");
  if (symlink("d/b.txt", "s") != 0) fail("symlink");
  file = fopen("s", "a");
  if (file == NULL) fail("append");
  fputs("more\n", file);
  fclose(file);
  struct stat state;
  if (stat("d/b.txt", &state) != 0) fail("stat");
  printf("size %lld\n", (long long)state.st_size);
  list(".");
  list("d");
  if (truncate("d/b.txt", 5) != 0) fail("truncate");
  if (unlink("s") != 0) fail("unlink");
  if (stat("s", &state) == 0) return 4;
  printf("gone: %s\n", strerror(errno));
  return 0;
}

static int outside(const char *path) {
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    printf("no: %s\n", strerror(errno));
    return 0;
  }
  char text[64] = "";
  printf("yes: %s\n", fgets(text, sizeof text, file));
  return 0;
}

int main(int count, char **arguments) {
  const char *order = count > 1 ? arguments[1] : "";
  const char *detail = count > 2 ? arguments[2] : "";
  if (strcmp(order, "surroundings") == 0) return surroundings(count, arguments);
  if (strcmp(order, "clocks") == 0) return clocks();
  if (strcmp(order, "files") == 0) return files(detail);
  if (strcmp(order, "outside") == 0) return outside(detail);
  if (strcmp(order, "exit") == 0) exit(atoi(detail));
  if (strcmp(order, "abort") == 0) abort();
  return 2;
}
