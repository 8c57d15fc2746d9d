/** What WASIX programs may import, which is checked before the SDK sees them: it hangs or fails as a whole on what it does not know. */
import { fault, Reason } from "../../fault.ts";
import type { CoreImport, CoreModule } from "../core-module.ts";

/** Functions of `wasix_32v1` and `wasix_64v1` in @wasmer/sdk 0.16.0; `test/runtime/wasix/wasix-sdk.test.ts` asks it. */
export const WASIX_FUNCTIONS: readonly string[] = `
  args_get args_sizes_get call_dynamic callback_signal chdir clock_res_get clock_time_get clock_time_set
  closure_allocate closure_free closure_prepare context_create context_destroy context_switch dl_invalid_handle
  dlopen dlsym environ_get environ_sizes_get epoll_create epoll_ctl epoll_wait fd_advise fd_allocate fd_close
  fd_datasync fd_dup fd_dup2 fd_event fd_fdflags_get fd_fdflags_set fd_fdstat_get fd_fdstat_set_flags
  fd_fdstat_set_rights fd_filestat_get fd_filestat_set_size fd_filestat_set_times fd_pipe fd_pread
  fd_prestat_dir_name fd_prestat_get fd_pwrite fd_read fd_readdir fd_renumber fd_seek fd_sync fd_tell fd_write
  futex_wait futex_wake futex_wake_all getcwd path_create_directory path_filestat_get path_filestat_set_times
  path_link path_open path_open2 path_readlink path_remove_directory path_rename path_symlink path_unlink_file
  poll_oneoff port_addr_add port_addr_clear port_addr_list port_addr_remove port_bridge port_dhcp_acquire
  port_gateway_set port_mac port_route_add port_route_clear port_route_list port_route_remove port_unbridge proc_exit
  proc_exit2 proc_id proc_join proc_parent proc_raise proc_raise_interval proc_signal proc_signals_get
  proc_signals_sizes_get proc_snapshot random_get reflect_signature resolve sched_yield sock_accept sock_accept_v2
  sock_addr_local sock_addr_peer sock_bind sock_connect sock_get_opt_flag sock_get_opt_size sock_get_opt_time
  sock_join_multicast_v4 sock_join_multicast_v6 sock_leave_multicast_v4 sock_leave_multicast_v6 sock_listen sock_open
  sock_pair sock_recv sock_recv_from sock_send sock_send_file sock_send_to sock_set_opt_flag sock_set_opt_size
  sock_set_opt_time sock_shutdown sock_status stack_checkpoint stack_restore thread_exit thread_id thread_join
  thread_parallelism thread_signal thread_sleep thread_spawn thread_spawn_v2 tty_get tty_set
`
  .trim()
  .split(/\s+/);

/** Functions that begin further processes, each with a memory of its own, which no limit here would hold. */
export const WASIX_PROCESS_FUNCTIONS: readonly string[] = [
  "proc_exec",
  "proc_exec2",
  "proc_exec3",
  "proc_exec4",
  "proc_fork",
  "proc_fork_env",
  "proc_spawn",
  "proc_spawn2",
  "proc_spawn3",
];

/** Functions of WASI preview 1, which the SDK has as well. */
const PREVIEW1_FUNCTIONS: readonly string[] = `
  args_get args_sizes_get clock_res_get clock_time_get environ_get environ_sizes_get fd_advise fd_allocate fd_close
  fd_datasync fd_fdstat_get fd_fdstat_set_flags fd_fdstat_set_rights fd_filestat_get fd_filestat_set_size
  fd_filestat_set_times fd_pread fd_prestat_dir_name fd_prestat_get fd_pwrite fd_read fd_readdir fd_renumber fd_seek
  fd_sync fd_tell fd_write path_create_directory path_filestat_get path_filestat_set_times path_link path_open
  path_readlink path_remove_directory path_rename path_symlink path_unlink_file poll_oneoff proc_exit proc_raise
  random_get sched_yield sock_accept sock_recv sock_send sock_shutdown
`
  .trim()
  .split(/\s+/);

const WASIX_MODULES: readonly string[] = ["wasix_32v1", "wasix_64v1"];

/** Whether a core module is a WASIX program: it imports something of WASIX. */
export function isWasix({ imports }: CoreModule): boolean {
  return imports.some(({ module }) => WASIX_MODULES.includes(module));
}

/**
 * Checks that the SDK can run a module without harm to itself. Throws `MODULE_IMPORT_UNKNOWN` (naming the import) and
 * `MODULE_KIND_UNSUPPORTED` for a module that exports no `_start`, has no memory, or begins processes.
 */
export function assertWasixFits({ imports, exports }: CoreModule): void {
  for (const item of imports) assertKnown(item);
  if (!exports.some(({ name, kind }) => name === "_start" && kind === "function"))
    throw unsupported("it is a WASIX module that exports no _start; only WASIX programs are hosted");
  if (!exports.some(({ kind }) => kind === "memory")) throw unsupported("it is a WASIX program that exports no memory");
}

function assertKnown({ module, name, kind }: CoreImport): void {
  const isFunction = kind === "function";
  if (isFunction && WASIX_MODULES.includes(module) && WASIX_PROCESS_FUNCTIONS.includes(name))
    throw unsupported(
      `it is a WASIX program that imports "${module}.${name}", to begin further processes, whose memory nothing here could limit`,
    );
  const isKnown =
    (isFunction && WASIX_MODULES.includes(module) && WASIX_FUNCTIONS.includes(name)) ||
    (isFunction && module === "wasi_snapshot_preview1" && PREVIEW1_FUNCTIONS.includes(name)) ||
    (isFunction && module === "wasi" && name === "thread-spawn") ||
    (kind === "memory" && module === "env" && name === "memory");
  if (isKnown) return;
  throw fault(
    Reason.MODULE_IMPORT_UNKNOWN,
    `Cannot host module: it imports ${kind} "${module}.${name}", which nothing here provides`,
    { subject: `${module}.${name}` },
  );
}

function unsupported(what: string): Error {
  return fault(Reason.MODULE_KIND_UNSUPPORTED, `Cannot host module: ${what}`);
}
