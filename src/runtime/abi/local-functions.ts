/** Functions of the core import ABI that need nobody's answer: results, errors, log, configuration, environment, time, randomness. */
import { AbiError } from "./abi-error.ts";
import { invalid } from "./abi-call.ts";
import { giveResult, utf8, type AbiFunction } from "./abi-state.ts";

const LEVELS = ["trace", "debug", "info", "warn", "error", "critical"] as const;

/** By the names of `CORE_ABI_SIGNATURES`. */
export const LOCAL_FUNCTIONS: Readonly<Record<string, AbiFunction>> = {
  result_read(state, call) {
    const [offset, out] = [call.u32(), call.out()];
    const rest = state.result.subarray(Math.min(offset, state.result.length));
    state.memory.write(out, rest);
    return rest.length;
  },
  last_error(state, call) {
    // Not kept as a result: it must not displace one that is still to be read.
    const message = utf8(state.lastError);
    state.memory.write(call.out(), message);
    return message.length;
  },
  log(state, call) {
    const [number, message] = [call.u32(), call.text()];
    const level = LEVELS[number];
    if (level === undefined) throw invalid(`Cannot log: there is no level ${number} (0 is trace, 5 critical)`);
    const waiting = state.line.log(level, "", message);
    return waiting === undefined ? 0 : waiting.then(() => 0);
  },
  config_get(state, call) {
    const [key, out] = [call.text(), call.out()];
    const value = state.line.config.get(key);
    if (value === undefined) throw new AbiError("none", `There is no configuration "${key}"`);
    return giveResult(state, out, utf8(value));
  },
  env_get(state, call) {
    const [name, out] = [call.text(), call.out()];
    const { env } = state.line.rights();
    if (!Object.hasOwn(env, name)) throw new AbiError("none", `There is no variable "${name}", or it was not granted`);
    state.line.audit(`env:${name}`, "used");
    return giveResult(state, out, utf8(env[name] ?? ""));
  },
  clock_ms: ({ line }) => line.wallNowNs() / 1_000_000n,
  random(state, call) {
    const out = call.out();
    // In pieces, so that a large room costs no large array.
    for (let done = 0; done < out.bytes; done += RANDOM_PIECE_BYTES) {
      const piece = new Uint8Array(Math.min(RANDOM_PIECE_BYTES, out.bytes - done));
      state.line.fillRandom(piece);
      state.memory.write({ address: out.address + done, bytes: piece.length }, piece);
    }
    return 0;
  },
  async sleep_ms({ line }, call) {
    await line.sleepUntil(line.monotonicNowNs() + BigInt(call.u32()) * 1_000_000n).done;
    return 0;
  },
};

const RANDOM_PIECE_BYTES = 65_536;
