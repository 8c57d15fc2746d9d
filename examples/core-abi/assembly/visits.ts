// Counts in the key-value store, from AssemblyScript. Functions for `wasmatrix invoke`.
//
//   visit(page) -> how often this page was visited, this time included; traps for a negative one
//   digits(page) -> how many digits that count has; 0 if it was never visited

import { Bucket, info } from "./wasmatrix";

const bucket = new Bucket("default");

export function visit(page: i32): i64 {
  assert(page >= 0, "pages are counted from 0");
  const visits = bucket.increment(`page-${page}`, 1);
  info(`Page ${page} has ${visits} visits`);
  return visits;
}

export function digits(page: i32): i32 {
  const visits = bucket.get(`page-${page}`);
  return visits === null ? 0 : visits.length;
}
