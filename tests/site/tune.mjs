// A WAV file of half a minute: each second has one steady tone, a semitone above the second before. So a page can seek
// anywhere, count the zero crossings it hears, and know whether it got the right part of the file.
const RATE = 44100;
const SECONDS = 30;
const LOWEST_HZ = 220;
const LOUDNESS = 9000;

/** Keep in step with static/app/checks/audio.js. */
export function toneOfSecond(second) {
  return LOWEST_HZ * 2 ** (second / 12);
}

export function makeTune() {
  const samples = new Int16Array(RATE * SECONDS);
  for (let i = 0; i < samples.length; i++) {
    samples[i] = Math.round(LOUDNESS * Math.sin(2 * Math.PI * toneOfSecond(Math.floor(i / RATE)) * (i / RATE)));
  }
  return Buffer.concat([wavHeader(samples.byteLength), Buffer.from(samples.buffer)]);
}

// RIFF header of 16-bit mono PCM: "RIFF" size "WAVE", "fmt " 16 ..., "data" size.
function wavHeader(dataBytes) {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + dataBytes, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20); // PCM
  header.writeUInt16LE(1, 22); // channels
  header.writeUInt32LE(RATE, 24);
  header.writeUInt32LE(RATE * 2, 28); // bytes a second
  header.writeUInt16LE(2, 32); // bytes a sample
  header.writeUInt16LE(16, 34); // bits a sample
  header.write('data', 36);
  header.writeUInt32LE(dataBytes, 40);
  return header;
}
