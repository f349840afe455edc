import { expect } from './expect.js';

const pen = () => document.createElement('canvas').getContext('2d', { willReadFrequently: true });

/** Every small picture is decoded, drawn and read back: a tainted canvas or a broken picture throws. */
export async function pictures() {
  const files = await (await fetch('/static/app/files.json')).json();
  const paths = files.map(file => file.path).filter(path => /^vendor\/emoji\/[0-9a-f-]+\.png$/.test(path));
  expect(paths.length > 200, `only ${paths.length} pictures are listed`);
  const place = document.getElementById('emoji');
  const canvas = pen();
  await Promise.all(paths.map(async path => {
    const image = new Image();
    image.src = `/static/${path}`;
    place.append(image);
    await image.decode().catch(() => expect(false, `${path} did not decode`));
    expect(image.naturalWidth === 64, `${path} is ${image.naturalWidth} pixels wide`);
    canvas.clearRect(0, 0, 64, 64);
    canvas.drawImage(image, 0, 0);
    expect(canvas.getImageData(0, 0, 64, 64).data.some(value => value > 0), `${path} is empty`);
  }));
}

export async function spriteSheet() {
  const image = new Image();
  image.src = new URL('../../vendor/emoji/sheet-32.png', import.meta.url);
  await image.decode();
  expect(image.naturalWidth > 1000, `the sheet is ${image.naturalWidth} pixels wide`);
  const canvas = pen();
  canvas.drawImage(image, 34, 34, 34, 34, 0, 0, 34, 34);
  expect(canvas.getImageData(0, 0, 34, 34).data.some(value => value > 0), 'the sprite is empty');
}
