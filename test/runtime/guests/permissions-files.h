/* The files of the permissions probe; part of permissions.c. */

static Outcome file_failed(uint8_t error) {
  const Text name = error < sizeof FS_ERROR_NAMES / sizeof *FS_ERROR_NAMES ? FS_ERROR_NAMES[error] : TEXT("unknown error");
  if (text_equals(name, TEXT("access")) || text_equals(name, TEXT("not-permitted")) || text_equals(name, TEXT("read-only")))
    return (Outcome){DENIED, name};
  return (Outcome){text_equals(name, TEXT("no-entry")) ? NOT_FOUND : FAILED, name};
}

/* A granted folder and the rest of a path below it. */
typedef struct {
  bool is_some;
  Descriptor folder;
  Text rest;
} Place;

/* By the longest granted folder that the path begins with, as a C library does it. */
static Place place_of(Text path) {
  Preopens preopens;
  fs_preopens(&preopens);
  Place place = {false, 0, TEXT("")};
  size_t best = 0;
  for (size_t index = 0; index < preopens.count; index++) {
    const Preopen *preopen = &preopens.items[index];
    const bool is_root = text_equals(preopen->path, TEXT("/"));
    const size_t length = is_root ? 0 : preopen->path.length;
    const bool is_below = text_starts_with(path, (Text){preopen->path.start, length}) && (path.length == length || path.start[length] == '/');
    if (!is_below || (place.is_some && length < best)) {
      fs_close(preopen->descriptor);
      continue;
    }
    if (place.is_some) fs_close(place.folder);
    best = length;
    place = (Place){true, preopen->descriptor, path.length > length + 1 ? text_after(path, length + 1) : TEXT(".")};
  }
  return place;
}

static Outcome list_folders(void) {
  Preopens preopens;
  fs_preopens(&preopens);
  Text names = TEXT("");
  for (size_t index = 0; index < preopens.count; index++) {
    names = text_join(names, text_join(preopens.items[index].path, TEXT("\n")));
    fs_close(preopens.items[index].descriptor);
  }
  return done(names);
}

static Outcome read_file(Descriptor folder, Text path) {
  FsHandle opened;
  fs_open_at(folder, FS_FOLLOW, path.start, path.length, 0, FS_READ, &opened);
  if (opened.is_error) return file_failed(opened.error);
  Text whole = TEXT("");
  for (;;) {
    FsRead read;
    fs_read(opened.handle, WASM_PAGE_BYTES, whole.length, &read);
    if (read.is_error) {
      fs_close(opened.handle);
      return file_failed(read.error);
    }
    whole = text_join(whole, read.read.bytes);
    if (read.read.is_end || read.read.bytes.length == 0) break;
  }
  fs_close(opened.handle);
  return done(whole);
}

static Outcome write_file(Descriptor folder, Text path, Text text) {
  FsHandle opened;
  fs_open_at(folder, FS_FOLLOW, path.start, path.length, FS_CREATE | FS_TRUNCATE, FS_WRITE, &opened);
  if (opened.is_error) return file_failed(opened.error);
  FsWritten written = {.is_error = false};
  for (uint64_t offset = 0; offset < text.length && !written.is_error; offset += written.is_error ? 0 : written.bytes) {
    fs_write(opened.handle, text.start + offset, text.length - offset, offset, &written);
  }
  fs_close(opened.handle);
  return written.is_error ? file_failed(written.error) : done(TEXT("written"));
}

static Outcome list_folder(Descriptor folder, Text path) {
  FsHandle opened, stream;
  fs_open_at(folder, FS_FOLLOW, path.start, path.length, FS_DIRECTORY, FS_READ, &opened);
  if (opened.is_error) return file_failed(opened.error);
  fs_read_directory(opened.handle, &stream);
  Outcome outcome = stream.is_error ? file_failed(stream.error) : done(TEXT(""));
  while (!stream.is_error) {
    FsEntry entry;
    fs_next_entry(stream.handle, &entry);
    if (entry.is_error) outcome = file_failed(entry.error);
    if (entry.is_error || !entry.found.is_some) break;
    outcome.text = text_join(outcome.text, text_join(entry.found.entry.name, TEXT("\n")));
  }
  if (!stream.is_error) fs_close_directory(stream.handle);
  fs_close(opened.handle);
  return outcome;
}

static Outcome use_file(Text action, Text url) {
  const Text path = query_text(url, TEXT("path"), TEXT("/"));
  const Place place = place_of(path);
  if (!place.is_some) return (Outcome){DENIED, TEXT("no folder is granted for this path")};
  Outcome outcome = {NOT_FOUND, TEXT("no such action")};
  if (text_equals(action, TEXT("read"))) outcome = read_file(place.folder, place.rest);
  if (text_equals(action, TEXT("write"))) outcome = write_file(place.folder, place.rest, query_text(url, TEXT("text"), TEXT("")));
  if (text_equals(action, TEXT("list"))) outcome = list_folder(place.folder, place.rest);
  if (text_equals(action, TEXT("stat"))) {
    FsStat stat;
    fs_stat_at(place.folder, FS_FOLLOW, place.rest.start, place.rest.length, &stat);
    outcome = stat.is_error ? file_failed(stat.error) : done(text_from_number(stat.stat.bytes));
  }
  if (text_equals(action, TEXT("delete")) || text_equals(action, TEXT("mkdir"))) {
    FsDone changed;
    if (text_equals(action, TEXT("delete"))) fs_unlink(place.folder, place.rest.start, place.rest.length, &changed);
    else fs_create_directory(place.folder, place.rest.start, place.rest.length, &changed);
    outcome = changed.is_error ? file_failed(changed.error) : done(TEXT("done"));
  }
  fs_close(place.folder);
  return outcome;
}
