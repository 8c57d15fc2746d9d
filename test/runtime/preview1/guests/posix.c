/* A preview 1 command that does by its C library what programs do: posix FOLDER ACTION. Prints what came of it. */
#define _DEFAULT_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char path_buffer[3][256];

/* A path in the folder; two or three are valid at a time. */
static const char *in(const char *folder, const char *name) {
  static int turn = 0;
  turn = (turn + 1) % 3;
  snprintf(path_buffer[turn], sizeof path_buffer[turn], "%s/%s", folder, name);
  return path_buffer[turn];
}

static void say(const char *what, int result) {
  printf("%s: %s\n", what, result < 0 ? strerror(errno) : "ok");
}

static int compare(const void *left, const void *right) {
  return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Makes files and directories, moves them about, and lists what there is. */
static void tour(const char *folder) {
  FILE *file = fopen(in(folder, "notes.txt"), "w");
  if (file == NULL) {
    say("fopen", -1);
    return;
  }
  fprintf(file, "one\ntwo\n");
  say("fclose", fclose(file));
  file = fopen(in(folder, "notes.txt"), "a+");
  fprintf(file, "three\n");
  rewind(file);
  char line[64];
  while (fgets(line, sizeof line, file) != NULL) fputs(line, stdout);
  fclose(file);
  say("mkdir", mkdir(in(folder, "sub"), 0777));
  say("rename", rename(in(folder, "notes.txt"), in(folder, "sub/moved.txt")));
  say("link", link(in(folder, "sub/moved.txt"), in(folder, "linked.txt")));
  say("symlink", symlink("sub/moved.txt", in(folder, "symbolic")));
  struct stat status;
  say("stat", stat(in(folder, "symbolic"), &status));
  printf("%lld bytes, %d links\n", (long long)status.st_size, (int)status.st_nlink);
  say("lstat", lstat(in(folder, "symbolic"), &status));
  printf("symlink %d\n", S_ISLNK(status.st_mode));
  const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1000, .tv_nsec = 5}};
  say("utimensat", utimensat(AT_FDCWD, in(folder, "symbolic"), times, 0));
  stat(in(folder, "linked.txt"), &status);
  printf("modified %lld.%09ld\n", (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  say("truncate", truncate(in(folder, "linked.txt"), 3));
  DIR *directory = opendir(folder);
  char *names[16];
  size_t count = 0;
  for (struct dirent *entry; count < 16 && (entry = readdir(directory)) != NULL;) names[count++] = strdup(entry->d_name);
  closedir(directory);
  qsort(names, count, sizeof *names, compare);
  for (size_t index = 0; index < count; index++) printf("%s%s", index == 0 ? "" : " ", names[index]);
  printf("\n");
  say("rmdir", rmdir(in(folder, "sub")));
  say("unlink", unlink(in(folder, "symbolic")));
}

/* Tries to get out of the folder. */
static void escape(const char *folder) {
  const char *ways[] = {"../secret.txt", "up/secret.txt", "out", "/etc/passwd"};
  symlink("..", in(folder, "up"));
  symlink("../secret.txt", in(folder, "out"));
  for (size_t index = 0; index < sizeof ways / sizeof *ways; index++) {
    const int fd = open(ways[index][0] == '/' ? ways[index] : in(folder, ways[index]), O_RDONLY);
    printf("%s: %s\n", ways[index], fd < 0 ? strerror(errno) : "open");
  }
  say("link", link(in(folder, "../secret.txt"), in(folder, "stolen")));
  say("rename", rename(in(folder, "../secret.txt"), in(folder, "stolen")));
}

/* Writes to one open file until it may not any more. */
static void until_denied(const char *folder) {
  const int fd = open(in(folder, "log"), O_WRONLY | O_CREAT | O_APPEND, 0666);
  say("open", fd);
  fflush(stdout);
  while (write(fd, "x", 1) == 1) {
    const struct timespec pause = {.tv_nsec = 1000000};
    nanosleep(&pause, NULL);
  }
  say("write", -1);
}

/* Holds one file after the other open. */
static void hoard(const char *folder) {
  while (open(in(folder, "log"), O_RDONLY | O_CREAT, 0666) >= 0)
    ;
  say("open", -1);
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  const char *folder = arguments[1];
  const char *action = arguments[2];
  if (strcmp(action, "tour") == 0) tour(folder);
  else if (strcmp(action, "escape") == 0) escape(folder);
  else if (strcmp(action, "until-denied") == 0) until_denied(folder);
  else if (strcmp(action, "hoard") == 0) hoard(folder);
  else return 2;
  return 0;
}
