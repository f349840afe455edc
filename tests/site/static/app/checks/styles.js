import { expect, pageLoaded } from './expect.js';

export async function styles() {
  await pageLoaded();
  expect(getComputedStyle(document.body).color === 'rgb(34, 40, 49)', 'the imported sheet did not set the colour');
  const { width } = document.getElementById('css-picture').getBoundingClientRect();
  expect(width === 64, `the picture named in the sheet is ${width} pixels wide`);
}

export async function font() {
  await pageLoaded();
  const faces = await document.fonts.load('400 20px "Inter Variable"', 'Fringe');
  expect(faces.length === 1 && faces[0].status === 'loaded', 'the font did not load');
  const pen = document.createElement('canvas').getContext('2d');
  const width = family => {
    pen.font = `400 20px ${family}`;
    return pen.measureText('Fringe carries files').width;
  };
  expect(width('"Inter Variable", monospace') !== width('monospace'), 'the text is drawn in another font');
}
