// A throw-away certificate authority and a server certificate signed by it, both good for one test run.
import { execFile } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from './paths.js';

const run = promisify(execFile);
const DAYS = '30';

/** Makes ca.pem, server.pem and server.key in `folder` and returns their paths. */
export async function makeCertificates(folder, names, addresses = ['127.0.0.1']) {
  const openssl = findProgram('openssl', 'openssl');
  const at = name => join(folder, name);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

  await run(openssl, ['req', '-x509', ...newKey, '-keyout', at('ca.key'), '-out', at('ca.pem'), '-days', DAYS,
    '-subj', '/CN=Fringe throw-away test CA', '-addext', 'basicConstraints=critical,CA:TRUE',
    '-addext', 'keyUsage=critical,keyCertSign,cRLSign']);
  await run(openssl, ['req', ...newKey, '-keyout', at('server.key'), '-out', at('server.csr'), '-subj', '/CN=Fringe test site']);
  writeFileSync(at('server.ext'), [
    'basicConstraints=CA:FALSE', 'keyUsage=critical,digitalSignature', 'extendedKeyUsage=serverAuth',
    `subjectAltName=${[...names.map(name => `DNS:${name}`), ...addresses.map(address => `IP:${address}`)].join(',')}`, '',
  ].join('\n'));
  await run(openssl, ['x509', '-req', '-in', at('server.csr'), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial',
    '-days', DAYS, '-extfile', at('server.ext'), '-out', at('server.pem')]);
  return { caFile: at('ca.pem'), certFile: at('server.pem'), keyFile: at('server.key') };
}

/** Makes an NSS database (both browsers keep one) that trusts the authorities; one of an earlier run stays as it is. */
export async function trustAuthorities(databaseFolder, caFiles) {
  if (existsSync(join(databaseFolder, 'cert9.db'))) return;
  const certutil = findProgram('certutil', 'libnss3-tools');
  const database = `sql:${databaseFolder}`;
  await run(certutil, ['-N', '-d', database, '--empty-password']);
  for (const [index, caFile] of caFiles.entries()) {
    await run(certutil, ['-A', '-d', database, '-n', `fringe-test-${index}`, '-t', 'C,,', '-i', caFile]);
  }
}
