/**
 * The rights of preview 1, which each descriptor carries and a guest can only give up. They have nothing to do with what a
 * guest is granted: the runtime checks that by itself.
 */

/** Bits of `rights`. */
export const RIGHT = {
  fdDatasync: 0x1n,
  fdRead: 0x2n,
  fdSeek: 0x4n,
  fdFdstatSetFlags: 0x8n,
  fdSync: 0x10n,
  fdTell: 0x20n,
  fdWrite: 0x40n,
  fdAdvise: 0x80n,
  fdAllocate: 0x100n,
  pathCreateDirectory: 0x200n,
  pathCreateFile: 0x400n,
  pathLinkSource: 0x800n,
  pathLinkTarget: 0x1000n,
  pathOpen: 0x2000n,
  fdReaddir: 0x4000n,
  pathReadlink: 0x8000n,
  pathRenameSource: 0x10000n,
  pathRenameTarget: 0x20000n,
  pathFilestatGet: 0x40000n,
  pathFilestatSetSize: 0x80000n,
  pathFilestatSetTimes: 0x100000n,
  fdFilestatGet: 0x200000n,
  fdFilestatSetSize: 0x400000n,
  fdFilestatSetTimes: 0x800000n,
  pathSymlink: 0x1000000n,
  pathRemoveDirectory: 0x2000000n,
  pathUnlinkFile: 0x4000000n,
  pollFdReadwrite: 0x8000000n,
} as const;

/** What a descriptor may be used for, and what descriptors opened through it may be. */
export type DescriptorRights = { readonly base: bigint; readonly inheriting: bigint };

const all = (bits: readonly bigint[]): bigint => bits.reduce((sum, bit) => sum | bit, 0n);

/** Everything that makes sense for a file. */
export const FILE_RIGHTS: bigint = all([
  RIGHT.fdDatasync,
  RIGHT.fdRead,
  RIGHT.fdSeek,
  RIGHT.fdFdstatSetFlags,
  RIGHT.fdSync,
  RIGHT.fdTell,
  RIGHT.fdWrite,
  RIGHT.fdAdvise,
  RIGHT.fdAllocate,
  RIGHT.fdFilestatGet,
  RIGHT.fdFilestatSetSize,
  RIGHT.fdFilestatSetTimes,
  RIGHT.pollFdReadwrite,
]);

/** Everything that makes sense for a directory. */
export const DIRECTORY_RIGHTS: bigint = all([
  RIGHT.fdDatasync,
  RIGHT.fdFdstatSetFlags,
  RIGHT.fdSync,
  RIGHT.pathCreateDirectory,
  RIGHT.pathCreateFile,
  RIGHT.pathLinkSource,
  RIGHT.pathLinkTarget,
  RIGHT.pathOpen,
  RIGHT.fdReaddir,
  RIGHT.pathReadlink,
  RIGHT.pathRenameSource,
  RIGHT.pathRenameTarget,
  RIGHT.pathFilestatGet,
  RIGHT.pathFilestatSetSize,
  RIGHT.pathFilestatSetTimes,
  RIGHT.fdFilestatGet,
  RIGHT.fdFilestatSetTimes,
  RIGHT.pathSymlink,
  RIGHT.pathRemoveDirectory,
  RIGHT.pathUnlinkFile,
]);

/** Of a granted folder. */
export const PREOPEN_RIGHTS: DescriptorRights = { base: DIRECTORY_RIGHTS, inheriting: DIRECTORY_RIGHTS | FILE_RIGHTS };

/** Of standard input, and of standard output and error. */
export const STDIN_RIGHTS: DescriptorRights = {
  base: RIGHT.fdRead | RIGHT.fdFdstatSetFlags | RIGHT.fdFilestatGet | RIGHT.pollFdReadwrite,
  inheriting: 0n,
};
export const STDOUT_RIGHTS: DescriptorRights = {
  base: RIGHT.fdWrite | RIGHT.fdFdstatSetFlags | RIGHT.fdFilestatGet | RIGHT.pollFdReadwrite,
  inheriting: 0n,
};

const WRITING = RIGHT.fdWrite | RIGHT.fdAllocate | RIGHT.fdFilestatSetSize;

/**
 * What a file is opened with. Today's programs ask for less than they use (engines have long stopped looking), so all
 * but reading and writing is given without being asked for, unless the directory has given it up.
 */
export function fileRights(directory: DescriptorRights, requested: bigint): DescriptorRights {
  const withheld = (requested & RIGHT.fdRead ? 0n : RIGHT.fdRead) | (requested & RIGHT.fdWrite ? 0n : WRITING);
  return { base: FILE_RIGHTS & directory.inheriting & ~withheld, inheriting: 0n };
}

/** What a directory is opened with. */
export function directoryRights(directory: DescriptorRights): DescriptorRights {
  return { base: DIRECTORY_RIGHTS & directory.inheriting, inheriting: directory.inheriting };
}
