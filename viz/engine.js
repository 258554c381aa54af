// The functions that the table's rows may call, as Python's `math` has them, for floats.
//
// viz/javascript.py copies from here what the rows of a page need, and nothing else.  Each
// declaration starts at the left margin, under its comment, and stands below all that it uses.  A
// function with the name of a row is that row.  `Math` serves where it is within an ulp or two of
// the libraries of C.

"use strict";

const abs = Math.abs;
const expm1 = Math.expm1;
const log = Math.log;
const log1p = Math.log1p;
const log2 = Math.log2;
const log10 = Math.log10;
const sqrt = Math.sqrt;
const sin = Math.sin;
const cos = Math.cos;
const tan = Math.tan;
const arcsin = Math.asin;
const arccos = Math.acos;
const arctan = Math.atan;
const arctan2 = Math.atan2;
const sinh = Math.sinh;
const cosh = Math.cosh;
const tanh = Math.tanh;
const arcsinh = Math.asinh;
const arccosh = Math.acosh;
const arctanh = Math.atanh;

// Whether a float has all its digits: it is neither subnormal nor 0, infinite or NaN.
const normal = (x) => abs(x) >= 2 ** -1022 && abs(x) < Infinity;

// What x - y loses to rounding, exactly: Knuth's two-sum.
function lost(x, y) {
  const difference = x - y;
  if (!(abs(difference) < Infinity)) return 0;
  const back = difference - x;
  return x - (difference - back) - (y + back);
}

// The whole number next to x, of two the even one, for |x| < 2**51.
const nearest = (x) => x + 6755399441055744 - 6755399441055744;

// x * x and what was rounded off, exactly: Dekker's product, of halves by Veltkamp's splitting.
function squared(x) {
  const shifted = 134217729 * x;
  const high = shifted - (shifted - x);
  const low = x - high;
  const square = x * x;
  return [square, high * high - square + 2 * high * low + low * low];
}

// 1 / n! from n = 2 on.
const FACTORS = [1 / 2];
while (FACTORS.length < 14) FACTORS.push(FACTORS.at(-1) / (FACTORS.length + 2));

// exp(x + low) to 0.6 ulps: what is a square of it, or a quotient, would double the error of
// Math.exp.  The power of two is taken out, log(2) in two parts, the first of 40 bits; and of the
// series 1 + r + ..., the first sum keeps what it rounds off.
function expOfSum(x, low) {
  if (!(abs(x) < 746)) return Math.exp(x);
  const power = nearest(x / Math.LN2);
  const head = x - power * 0.6931471805592082;
  const tail = low - power * 7.371002565167799e-13;
  const r = head + tail;
  const series = FACTORS.reduceRight((sum, factor) => (sum + factor) * r, 0) * r;
  const start = 1 + r;
  const rest = r - (start - 1) + (head - r + tail) * start + series;
  const half = Math.trunc(power / 2);
  return (start + rest) * 2 ** half * 2 ** (power - half);
}

const exp = (x) => expOfSum(x, 0);

// C has 1 for these, and so has Python; Math.pow has NaN.
const pow = (x, y) =>
  x == 1 || (x == -1 && abs(y) === Infinity) ? 1 : Math.pow(x, y);

// With a step of Newton's, as in Python.
function cbrt(x) {
  const root = Math.cbrt(x);
  if (!(abs(root) > 0 && abs(root) < Infinity)) return root;
  return root - (root - x / root / root) / 3;
}

// The two operands are scaled by a power of two, so that no square overflows or loses digits; then
// the root is corrected by what its square and the sum have rounded off.
function hypot(x, y) {
  x = abs(x);
  y = abs(y);
  if (x === Infinity || y === Infinity) return Infinity;
  if (x < y) [x, y] = [y, x];
  if (!(y >= x * 2 ** -54 && y > 0)) return x + y;
  const scale = x > 1e150 ? 2 ** -600 : y < 1e-150 ? 2 ** 600 : 1;
  x *= scale;
  y *= scale;
  const [xx, xxLow] = squared(x);
  const [yy, yyLow] = squared(y);
  const sum = xx + yy;
  const root = sqrt(sum);
  const [square, squareLow] = squared(root);
  const rest = sum - square - squareLow + (xx - sum + yy) + (xxLow + yyLow);
  return (root + rest / (2 * root)) / scale;
}

// The rounding of x * x would be magnified x * x times.
function gaussian(x) {
  if (!(abs(x) < 28)) return exp(-x * x);
  const [square, low] = squared(x);
  return expOfSum(-square, -low);
}

// (-1)**n / (n! (2n + 1)): the Maclaurin series of erf(x) sqrt(pi) / 2 / x, in x * x.
const SERIES = [];
for (let n = 0, factor = 1; n < 21; n++, factor /= -n) SERIES.push(factor / (2 * n + 1));

// erf(x) - x for |x| <= 1.  2 / sqrt(pi) - 1 is known to more digits than 2 / sqrt(pi).
function erfBeyond(x) {
  const series = SERIES.slice(1).reduceRight((sum, factor) => (sum + factor) * (x * x), 0);
  return x * (0.1283791670955126 + 1.1283791670955126 * series);
}

// k*k/4 for k = 1, 2, ..., and exp(-k*k/4) / pi.
const QUARTERS = Array.from({ length: 13 }, (_, k) => (k + 1) ** 2 / 4);
const BELL = QUARTERS.map((each) => exp(-each) / Math.PI);

// erfc for x >= 1/2.  erfc(x) exp(x*x) is 2x/pi times the integral of exp(-t*t) / (t*t + x*x) from 0
// on.  The trapezoidal rule with steps of 1/2 gives it to exp(-4 pi**2), once the residue at t = ix is
// taken off (Chiarella and Reichel, 1968).  The rule's terms for 1 / (x*x) add up to 1 / sqrt(pi), and
// only what they leave is summed.
function erfcLarge(x) {
  const terms = QUARTERS.map((each, k) => (BELL[k] * each) / (each + x * x));
  const sum = terms.reduceRight((a, b) => a + b);
  const rule = (gaussian(x) * (0.5641895835477563 - sum)) / x;
  return x < 7 ? rule - 2 / expm1(4 * Math.PI * x) : rule;
}

function erf(x) {
  if (abs(x) <= 1) return x + erfBeyond(x);
  if (!(abs(x) < 6)) return Math.sign(x);
  return x > 0 ? 1 - erfcLarge(x) : erfcLarge(-x) - 1;
}

function erfc(x) {
  if (abs(x) <= 0.8) return 1 - x - erfBeyond(x);
  if (x > 28) return 0;
  if (x < -6) return 2;
  return x > 0 ? erfcLarge(x) : 2 - erfcLarge(-x);
}

function ndtr(x) {
  const z = -x / sqrt(2);
  if (!(z > 1 && z < 28)) return erfc(z) / 2;
  const root = 1.4142135679721832; // sqrt(2) in 26 bits, and the rest
  const rootLow = -5.599088178737374e-9;
  const head = nearest(z * 1048576) / 1048576;
  const rest = (-x - head * root - (z - head) * root - z * rootLow) / sqrt(2);
  return erfc(z) / 2 - (rest * gaussian(z)) / sqrt(Math.PI);
}

// The numbers in such an order that no sum on the way is larger than it need be.
function balanced(numbers) {
  const above = numbers.filter((x) => x > 0);
  const below = numbers.filter((x) => x < 0);
  let sum = 0;
  return numbers.filter((x) => x !== 0).map(() => {
    const next = (sum > 0 ? below.pop() ?? above.pop() : above.pop() ?? below.pop());
    sum += next;
    return next;
  });
}

// The sum in one rounding: Shewchuk's expansion, 1997, whose parts do not overlap.
function fsum(numbers) {
  const special = numbers.filter((x) => !Number.isFinite(x));
  if (special.length) return special.reduce((a, b) => a + b);
  const parts = []; // the smallest first
  for (let x of balanced(numbers)) {
    let kept = 0;
    for (const part of parts) {
      const sum = x + part;
      const moved = sum - x;
      const low = x - (sum - moved) + (part - moved); // Knuth's two-sum
      if (low !== 0) parts[kept++] = low;
      x = sum;
    }
    if (!Number.isFinite(x)) return x;
    parts.length = kept;
    if (x !== 0) parts.push(x);
  }
  let sum = 0;
  while (parts.length) {
    const part = parts.pop();
    const last = sum;
    sum = last + part;
    const low = part - (sum - last);
    if (low === 0) continue;
    // A tie was rounded to even; the next part says on which side of it the truth lies.
    const next = parts.pop() ?? 0;
    if (Math.sign(low) === Math.sign(next)) {
      const other = sum + 2 * low;
      if (other - sum === 2 * low) sum = other;
    }
    break;
  }
  return sum;
}

// As `sum` adds in the Python that made the page: from 3.12 on it keeps what was rounded off
// (Neumaier, 1974).
function dot(w, x) {
  let sum = 0;
  let rest = 0;
  w.forEach((each, place) => {
    const term = each * x[place];
    const next = sum + term;
    rest += abs(sum) >= abs(term) ? sum - next + term : term - next + sum;
    sum = next;
  });
  return compensated && rest !== 0 && Number.isFinite(rest) ? sum + rest : sum;
}

// Where Python raises.  Only a primitive of the user, who may have given no domain, comes there.  An
// operand may be true or false, which are 1 and 0 in both languages: hence `==`, and `isFinite`.
const refuse = (what) => {
  throw new RangeError(what);
};

// `x % y` has the sign of y in Python.
function modulo(x, y) {
  if (y == 0) refuse("modulo by zero");
  const rest = x % y;
  if (rest === 0) return y > 0 ? 0 : -0;
  return rest < 0 !== y < 0 ? rest + y : rest;
}

const divide = (x, y) => (y == 0 ? refuse("division by zero") : x / y);

// The function, raising where Python's does: no number from numbers, or a pole.  Poles lie at 0 and
// at 1 or -1, where nothing overflows.
const raising =
  (f) =>
  (...operands) => {
    const out = f(...operands);
    const pole = abs(out) === Infinity && [0, 1].includes(abs(operands[0]));
    const wrong = pole ? operands.every(isFinite) : isNaN(out);
    return wrong && !operands.some(isNaN) ? refuse("no value") : out;
  };

// Whether a test holds: not where it cannot be made.
function holds(test) {
  try {
    return test();
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

// Whether a function comes to an end without that.
const answers = (f) => holds(() => (f(), true));

// What Python records of an operation: its data, and a derivative for each operand, null for one that
// is not wanted; or null where there is no value.
function evaluate(row, operands, wanted = operands.map(() => true)) {
  const size = operands.length / row.arity;
  const columns = row.variadic
    ? row.derivatives.map((_, slot) => operands.slice(slot * size, (slot + 1) * size))
    : operands;
  let recorded = null;
  const work = () => {
    const data = Number(row.value(...columns));
    const each = row.derivatives.map((derivative, slot) =>
      row.variadic || wanted[slot] ? derivative(...columns, data) : null,
    );
    const derivatives = each.flat().map((one, place) => (wanted[place] ? Number(one) : null));
    recorded = { data, derivatives };
  };
  return row.domain(...columns) && answers(work) ? recorded : null;
}
