import { expect, pageLoaded } from './expect.js';

export async function classicScripts() {
  await pageLoaded();
  expect(window.demoClassic === new URL('/static/app/classic.js', location.href).href, `the script saw itself as ${window.demoClassic}`);
  expect(window.demoClassicSri, 'the script with a hash did not run');
  expect(window.demoClassicSriCors, 'the script with a hash and crossorigin did not run');
}

export async function wrongHashRefused() {
  await pageLoaded();
  expect(!window.demoClassicWrong, 'it ran');
}

export async function dynamicImport() {
  const { address, twice } = await import('./dynamic/part.js');
  expect(address.endsWith('/static/app/checks/dynamic/part.js'), `the module saw itself as ${address}`);
  expect(twice(21) === 42, 'wrong answer');
}

/** three.js through the import map, with add-ons; drawn without WebGL, which headless browsers may lack. */
export async function library() {
  const [three, { mergeVertices }] = await Promise.all([import('three'), import('three/addons/utils/BufferGeometryUtils.js')]);
  const knot = mergeVertices(new three.TorusKnotGeometry(1, 0.35, 128, 16));
  const points = knot.getAttribute('position');
  expect(points.count > 2000, `the knot has ${points.count} points`);

  const camera = new three.PerspectiveCamera(45, 1, 0.1, 100);
  camera.position.z = 4.5;
  camera.updateMatrixWorld();
  const canvas = document.getElementById('knot');
  const pen = canvas.getContext('2d');
  const point = new three.Vector3();
  for (let i = 0; i < points.count; i++) {
    point.fromBufferAttribute(points, i).project(camera);
    pen.fillStyle = `hsl(${(i * 360) / points.count} 70% 45%)`;
    pen.fillRect((point.x + 1) * 160, (1 - point.y) * 160, 2, 2);
  }
  expect(pen.getImageData(0, 0, 320, 320).data.some(value => value > 0), 'nothing was drawn');
}
