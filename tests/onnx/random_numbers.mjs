/// Numbers in (0, 1), the same for the same seed, which is not 0: xorshift32.
export function randomNumbers(seed) {
  let state = seed;
  return () => {
    state ^= state << 13; state ^= state >>> 17; state ^= state << 5;
    return ((state >>> 0) + 0.5) / 2 ** 32;
  };
}

/// Normal numbers: Box and Muller.
export function normalNumbers(uniform) {
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
