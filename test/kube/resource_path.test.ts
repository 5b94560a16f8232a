import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callOf, describeCall, type KubeMethod } from '../../src/kube/call.ts'
import { parseResourcePath, type ResourcePath, resourcePath } from '../../src/kube/resource_path.ts'

const leases = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' }

const paths: ReadonlyArray<[ResourcePath, string]> = [
  [{ group: '', version: 'v1', resource: 'namespaces' }, '/api/v1/namespaces'],
  [{ group: '', version: 'v1', resource: 'namespaces', name: 'a' }, '/api/v1/namespaces/a'],
  [
    { group: '', version: 'v1', resource: 'secrets', namespace: 'a', name: 'b' },
    '/api/v1/namespaces/a/secrets/b',
  ],
  [leases, '/apis/coordination.k8s.io/v1/leases'],
  [
    { ...leases, namespace: 'a', name: 'b', subresource: 'status' },
    '/apis/coordination.k8s.io/v1/namespaces/a/leases/b/status',
  ],
  [
    { ...leases, namespace: 'a', name: 'system:b/c?d' },
    '/apis/coordination.k8s.io/v1/namespaces/a/leases/system%3Ab%2Fc%3Fd',
  ],
]
for (const [at, path] of paths) {
  test(`${path} is written and read`, () => {
    assert.equal(resourcePath(at), path)
    assert.deepEqual(parseResourcePath(path), at)
  })
}

for (const name of ['', '.', '..']) {
  test(`the name ${JSON.stringify(name)} cannot be put into a path`, () => {
    const at = { group: '', version: 'v1', resource: 'secrets', namespace: 'a', name }
    assert.throws(() => resourcePath(at), { code: 'KubeInvalid' })
  })
}

const calls: ReadonlyArray<[KubeMethod | 'WATCH', string, string]> = [
  ['GET', '/api/v1/secrets', 'list secrets'],
  ['GET', '/api/v1/namespaces/a/secrets', 'list secrets in namespace "a"'],
  ['WATCH', '/apis/apps/v1/deployments', 'watch deployments.apps'],
  ['GET', '/api/v1/namespaces/a/secrets/b', 'get secrets "b" in namespace "a"'],
  ['PUT', '/apis/g/v1/issuers/b/status', 'update issuers.g/status "b"'],
  [
    'POST',
    '/api/v1/namespaces/a/serviceaccounts/b/token',
    'create serviceaccounts/token "b" in namespace "a"',
  ],
  ['GET', '/readyz', 'get /readyz'],
]
for (const [method, path, words] of calls) {
  test(`${method} ${path} is "${words}"`, () => {
    assert.equal(describeCall(callOf(method, path)), words)
  })
}
