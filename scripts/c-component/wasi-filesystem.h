/* Files by wasi:filesystem: the parts that test guests need. */
#ifndef WASI_FILESYSTEM_H
#define WASI_FILESYSTEM_H

#include "canonical.h"

#define FS_TYPES "wasi:filesystem/types@0.2.12"

typedef int32_t Descriptor, DirectoryStream;

typedef struct {
  Descriptor descriptor;
  Text path;
} Preopen;

typedef struct {
  const Preopen *items;
  size_t count;
} Preopens;

/* result<handle, error-code> */
typedef struct {
  bool is_error;
  union {
    int32_t handle;
    uint8_t error;
  };
} FsHandle;

/* result<_, error-code> */
typedef struct {
  bool is_error;
  uint8_t error;
} FsDone;

/* result<tuple<list<u8>, bool>, error-code> */
typedef struct {
  bool is_error;
  union {
    struct {
      Text bytes;
      bool is_end;
    } read;
    uint8_t error;
  };
} FsRead;

/* result<filesize, error-code> */
typedef struct {
  bool is_error;
  union {
    uint64_t bytes;
    uint8_t error;
  };
} FsWritten;

/* result<string, error-code> */
typedef struct {
  bool is_error;
  union {
    Text text;
    uint8_t error;
  };
} FsText;

/* result<option<directory-entry>, error-code> */
typedef struct {
  bool is_error;
  union {
    struct {
      bool is_some;
      struct {
        uint8_t kind;
        Text name;
      } entry;
    } found;
    uint8_t error;
  };
} FsEntry;

/* result<descriptor-stat, error-code> */
typedef struct {
  bool is_error;
  union {
    struct {
      uint8_t kind;
      uint64_t links;
      uint64_t bytes;
      uint64_t times[9];
    } stat;
    uint8_t error;
  };
} FsStat;

enum { FS_FOLLOW = 1 };
enum { FS_CREATE = 1, FS_DIRECTORY = 2, FS_EXCLUSIVE = 4, FS_TRUNCATE = 8 };
enum { FS_READ = 1, FS_WRITE = 2, FS_MUTATE_DIRECTORY = 32 };

IMPORT("wasi:filesystem/preopens@0.2.12", "get-directories") void fs_preopens(Preopens *result);
IMPORT(FS_TYPES, "[method]descriptor.open-at")
void fs_open_at(Descriptor folder, int32_t path_flags, const char *path, size_t length, int32_t open_flags, int32_t flags, FsHandle *result);
IMPORT(FS_TYPES, "[method]descriptor.read") void fs_read(Descriptor file, uint64_t length, uint64_t offset, FsRead *result);
IMPORT(FS_TYPES, "[method]descriptor.write")
void fs_write(Descriptor file, const char *start, size_t length, uint64_t offset, FsWritten *result);
IMPORT(FS_TYPES, "[method]descriptor.read-directory") void fs_read_directory(Descriptor folder, FsHandle *result);
IMPORT(FS_TYPES, "[method]directory-entry-stream.read-directory-entry") void fs_next_entry(DirectoryStream stream, FsEntry *result);
IMPORT(FS_TYPES, "[method]descriptor.create-directory-at") void fs_create_directory(Descriptor folder, const char *path, size_t length, FsDone *result);
IMPORT(FS_TYPES, "[method]descriptor.remove-directory-at") void fs_remove_directory(Descriptor folder, const char *path, size_t length, FsDone *result);
IMPORT(FS_TYPES, "[method]descriptor.unlink-file-at") void fs_unlink(Descriptor folder, const char *path, size_t length, FsDone *result);
IMPORT(FS_TYPES, "[method]descriptor.stat-at")
void fs_stat_at(Descriptor folder, int32_t path_flags, const char *path, size_t length, FsStat *result);
IMPORT(FS_TYPES, "[method]descriptor.readlink-at") void fs_readlink(Descriptor folder, const char *path, size_t length, FsText *result);
IMPORT(FS_TYPES, "[method]descriptor.symlink-at")
void fs_symlink(Descriptor folder, const char *target, size_t target_length, const char *path, size_t length, FsDone *result);
IMPORT(FS_TYPES, "[method]descriptor.rename-at")
void fs_rename(Descriptor folder, const char *from, size_t from_length, Descriptor to_folder, const char *to, size_t to_length, FsDone *result);
IMPORT(FS_TYPES, "[method]descriptor.link-at")
void fs_link(Descriptor folder, int32_t flags, const char *from, size_t from_length, Descriptor to_folder, const char *to, size_t to_length, FsDone *result);
IMPORT(FS_TYPES, "[resource-drop]descriptor") void fs_close(Descriptor descriptor);
IMPORT(FS_TYPES, "[resource-drop]directory-entry-stream") void fs_close_directory(DirectoryStream stream);

/* Names of the cases of error-code, in their order. */
static const Text FS_ERROR_NAMES[] = {
    TEXT("access"), TEXT("would-block"), TEXT("already"), TEXT("bad-descriptor"), TEXT("busy"), TEXT("deadlock"),
    TEXT("quota"), TEXT("exist"), TEXT("file-too-large"), TEXT("illegal-byte-sequence"), TEXT("in-progress"),
    TEXT("interrupted"), TEXT("invalid"), TEXT("io"), TEXT("is-directory"), TEXT("loop"), TEXT("too-many-links"),
    TEXT("message-size"), TEXT("name-too-long"), TEXT("no-device"), TEXT("no-entry"), TEXT("no-lock"),
    TEXT("insufficient-memory"), TEXT("insufficient-space"), TEXT("not-directory"), TEXT("not-empty"),
    TEXT("not-recoverable"), TEXT("unsupported"), TEXT("no-tty"), TEXT("no-such-device"), TEXT("overflow"),
    TEXT("not-permitted"), TEXT("pipe"), TEXT("read-only"), TEXT("invalid-seek"), TEXT("text-file-busy"),
    TEXT("cross-device"),
};

#endif
