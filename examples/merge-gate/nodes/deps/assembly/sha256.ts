// SHA-256 (FIPS 180-4).

/** The first 32 bits of the fractional parts of the cube roots of the first primes. */
const K: StaticArray<u32> = [
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
];

/** The same of the square roots. */
const START: StaticArray<u32> = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

/** The digest, 32 bytes. */
export function sha256(message: ArrayBuffer): Uint8Array {
  const length = message.byteLength;
  const blocks = (length + 8) / 64 + 1;
  const padded = new Uint8Array(blocks * 64);
  memory.copy(padded.dataStart, changetype<usize>(message), length);
  padded[length] = 0x80;
  store<u64>(padded.dataStart + blocks * 64 - 8, bswap<u64>(<u64>length * 8));
  const state = START.slice<StaticArray<u32>>();
  for (let i = 0; i < blocks; i++) compress(state, padded.dataStart + i * 64);
  const digest = new Uint8Array(32);
  for (let i = 0; i < 8; i++) store<u32>(digest.dataStart + i * 4, bswap<u32>(state[i]));
  return digest;
}

function compress(state: StaticArray<u32>, block: usize): void {
  const w = new StaticArray<u32>(64);
  for (let i = 0; i < 16; i++) w[i] = bswap<u32>(load<u32>(block + i * 4));
  for (let i = 16; i < 64; i++) {
    const s0 = rotr<u32>(w[i - 15], 7) ^ rotr<u32>(w[i - 15], 18) ^ (w[i - 15] >> 3);
    const s1 = rotr<u32>(w[i - 2], 17) ^ rotr<u32>(w[i - 2], 19) ^ (w[i - 2] >> 10);
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  const v = state.slice<StaticArray<u32>>(); // a to h
  for (let i = 0; i < 64; i++) {
    const s1 = rotr<u32>(v[4], 6) ^ rotr<u32>(v[4], 11) ^ rotr<u32>(v[4], 25);
    const t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + K[i] + w[i];
    const s0 = rotr<u32>(v[0], 2) ^ rotr<u32>(v[0], 13) ^ rotr<u32>(v[0], 22);
    const t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
    for (let j = 7; j > 0; j--) v[j] = v[j - 1];
    v[4] += t1;
    v[0] = t1 + t2;
  }
  for (let i = 0; i < 8; i++) state[i] += v[i];
}
