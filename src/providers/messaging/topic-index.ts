/** Finds what is subscribed to a topic, by a tree of tokens: the time depends on the topic's length, not on how many subscribe. */

/** See the top of the file. */
export interface TopicIndex<Value> {
  /** Adds a value under a valid pattern; one value stands under one pattern at a time. */
  add(pattern: string, value: Value): void;
  /** Does nothing if it is not there. */
  remove(pattern: string, value: Value): void;
  /** All values whose pattern matches the topic, in no particular order. */
  matching(topic: string): readonly Value[];
}

type Branch<Value> = { readonly values: Set<Value>; readonly next: Map<string, Branch<Value>> };

/** Makes an empty index. */
export function createTopicIndex<Value>(): TopicIndex<Value> {
  const root = branch<Value>();

  const collect = (from: Branch<Value>, tokens: readonly string[], index: number, found: Value[]): void => {
    const token = tokens[index];
    if (token === undefined) {
      found.push(...from.values);
      return;
    }
    const rest = from.next.get(">");
    if (rest !== undefined) found.push(...rest.values);
    for (const key of [token, "*"]) {
      const below = from.next.get(key);
      if (below !== undefined) collect(below, tokens, index + 1, found);
    }
  };

  return {
    add(pattern, value) {
      let at = root;
      for (const token of pattern.split(".")) {
        const below = at.next.get(token) ?? branch<Value>();
        at.next.set(token, below);
        at = below;
      }
      at.values.add(value);
    },
    remove(pattern, value) {
      const path: { readonly above: Branch<Value>; readonly token: string; readonly below: Branch<Value> }[] = [];
      let at = root;
      for (const token of pattern.split(".")) {
        const below = at.next.get(token);
        if (below === undefined) return;
        path.push({ above: at, token, below });
        at = below;
      }
      at.values.delete(value);
      // Branches that lead nowhere would pile up as subscriptions come and go.
      for (const { above, token, below } of path.toReversed()) {
        if (below.values.size > 0 || below.next.size > 0) break;
        above.next.delete(token);
      }
    },
    matching(topic) {
      const found: Value[] = [];
      collect(root, topic.split("."), 0, found);
      return found;
    },
  };
}

function branch<Value>(): Branch<Value> {
  return { values: new Set(), next: new Map() };
}
