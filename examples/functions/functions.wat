;; A bare module: no imports, no memory, only functions to call by name.
(module
  (func (export "add") (param $a i32) (param $b i32) (result i32)
    (i32.add (local.get $a) (local.get $b)))

  ;; The n-th Fibonacci number, exact up to n = 92; traps outside 0..92, where the result would not fit.
  (func (export "fib") (param $n i32) (result i64)
    (local $a i64) (local $b i64) (local $sum i64)
    (if (i32.gt_u (local.get $n) (i32.const 92)) (then (unreachable)))
    (local.set $b (i64.const 1))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $n)))
        (local.set $sum (i64.add (local.get $a) (local.get $b)))
        (local.set $a (local.get $b))
        (local.set $b (local.get $sum))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $next)))
    (local.get $a))

  (func (export "mean") (param $a f64) (param $b f64) (param $c f64) (result f64)
    (f64.div (f64.add (f64.add (local.get $a) (local.get $b)) (local.get $c)) (f64.const 3)))

  ;; Length of the longest side of a right triangle.
  (func (export "hypotenuse") (param $a f32) (param $b f32) (result f32)
    (f32.sqrt (f32.add (f32.mul (local.get $a) (local.get $a)) (f32.mul (local.get $b) (local.get $b)))))

  ;; Two results: quotient and remainder. Traps when the divisor is 0.
  (func (export "divide") (param $dividend i64) (param $divisor i64) (result i64 i64)
    (i64.div_s (local.get $dividend) (local.get $divisor))
    (i64.rem_s (local.get $dividend) (local.get $divisor)))

  ;; Counts its own calls: an instance keeps its state between calls, and loses it with a restart.
  (global $calls (mut i32) (i32.const 0))
  (func (export "count") (result i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (global.get $calls)))
