import { expect } from './expect.js';

export async function moduleWorker() {
  const worker = new Worker(new URL('../workers/module.js', import.meta.url), { type: 'module' });
  const answer = await ask(worker, 21);
  expect(answer.double === 42, 'the imported module gave a wrong answer');
  expect(answer.fetched > 0, 'the worker could not fetch a file');
}

export async function classicWorker() {
  const worker = new Worker('/static/app/workers/classic.js');
  expect((await ask(worker, 20)) === 21, 'wrong answer');
}

async function ask(worker, message) {
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = event => resolve(event.data);
      worker.onerror = event => reject(new Error(event.message || 'the worker did not start'));
      worker.postMessage(message);
    });
  } finally {
    worker.terminate();
  }
}
