/**
 * Directories by descriptor, for Linux. `/proc/self/fd/N/name` means to the kernel what `openat(N, "name")` means:
 * the directory is the one that was opened, wherever it has been moved since and whatever stands at its old path.
 */
import { closeSync, constants, openSync, readlinkSync } from "node:fs";
import { onHost } from "./file-error.ts";
import type { HostDirectory } from "./host-directory.ts";

/** Opens the directory at an absolute path, name by name, so that no symlink in it is followed. */
export function openDescriptorDirectory(hostPath: string): HostDirectory {
  let directory = fromDescriptor(onHost(() => openSync("/", DIRECTORY_FLAGS)));
  for (const name of hostPath.split("/").filter((part) => part !== "")) {
    const outer = directory;
    try {
      directory = outer.enter(name);
    } finally {
      outer.close();
    }
  }
  return directory;
}

/** `O_PATH`, which node:fs does not name: a descriptor that only stands for a place, for which no read permission is needed. */
const O_PATH = 0o10000000;
const DIRECTORY_FLAGS = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;

function fromDescriptor(descriptor: number): HostDirectory {
  const self = `/proc/self/fd/${descriptor}`;
  let isOpen = true;
  return {
    at: (name) => `${self}/${name}`,
    self: () => `${self}/`,
    // With O_PATH and O_DIRECTORY, a symlink is ENOTDIR.
    enter: (name) => fromDescriptor(onHost(() => openSync(`${self}/${name}`, DIRECTORY_FLAGS))),
    place: () => onHost(() => readlinkSync(self)),
    close() {
      if (!isOpen) return;
      isOpen = false;
      closeSync(descriptor);
    },
  };
}
