import { expect, pageLoaded } from './expect.js';

const MODULE = '/static/vendor/sql.js/sql-wasm.wasm';

/** SQLite itself: compiled while it arrives, then asked to count. */
export async function wasm() {
  await pageLoaded();
  const module = await WebAssembly.compileStreaming(fetch(MODULE));
  const SQL = await window.initSqlJs({
    instantiateWasm(imports, done) {
      WebAssembly.instantiate(module, imports).then(instance => done(instance, module));
      return {};
    },
  });
  const database = new SQL.Database();
  const [{ values }] = database.exec('WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT sum(i) FROM n');
  expect(values[0][0] === 5050, `SQLite says ${values[0][0]}`);
}
