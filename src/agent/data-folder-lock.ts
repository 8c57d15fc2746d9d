/** Keeps two agents off one data folder. */
import { link, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Entropy } from "../clock.ts";
import { fault, Reason } from "../fault.ts";

/** A held lock. */
export type DataFolderLock = {
  /** Frees the folder. May be called twice. */
  release(): Promise<void>;
};

/**
 * Takes the folder for this process, or throws `INVALID_REQUEST` naming the process that has it. The lock of a process that is
 * dead is taken over.
 */
export async function lockDataFolder(dataDir: string, entropy: Entropy): Promise<DataFolderLock> {
  const file = join(dataDir, "lock");
  const mine = `${process.pid} ${await startOf(process.pid)} ${entropy.hex(8)}`;
  const draft = `${file}.${entropy.hex(8)}.tmp`;
  await writeFile(draft, mine);
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (await linked(draft, file)) return { release: () => releaseIfMine(file, mine) };
      const holder = await readFile(file, "utf8").catch(() => "");
      if (await isHeld(holder)) {
        throw fault(
          Reason.INVALID_REQUEST,
          `Cannot use data folder "${dataDir}": the agent with process id ${holder.split(" ")[0]} uses it`,
          {
            subject: dataDir,
          },
        );
      }
      await rm(file, { force: true });
    }
  } finally {
    await rm(draft, { force: true });
  }
  throw fault(
    Reason.INVALID_REQUEST,
    `Cannot use data folder "${dataDir}": other processes are taking it at the same time`,
    { subject: dataDir },
  );
}

const ATTEMPTS_MAX = 5;

/** Links the draft to the lock's name, which either fails or gives a whole file, never an empty one. */
async function linked(draft: string, file: string): Promise<boolean> {
  try {
    await link(draft, file);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

async function isHeld(holder: string): Promise<boolean> {
  const [pidText = "", start = ""] = holder.split(" ");
  const pid = Number(pidText);
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  // After a reboot the number may belong to someone else: the start time tells, where the system has it.
  const current = await startOf(pid);
  if (start !== UNKNOWN_START && current !== UNKNOWN_START && start !== current) return false;
  return isAlive(pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // A process of another user is alive as well.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

const UNKNOWN_START = "-";

/** When a process began, in the kernel's ticks since boot, with the boot's id; unknown elsewhere than on Linux. */
async function startOf(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8");
    // The program's name is in parentheses and may hold spaces; the start time is the 20th field after it.
    const startTicks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? UNKNOWN_START;
    return `${boot.trim()}/${startTicks}`;
  } catch {
    // Without it the process id alone decides, which errs on the side of refusing.
    return UNKNOWN_START;
  }
}

async function releaseIfMine(file: string, mine: string): Promise<void> {
  const holder = await readFile(file, "utf8").catch(() => "");
  if (holder === mine) await rm(file, { force: true });
}
