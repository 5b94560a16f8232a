import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accountIdentity, type WorkloadEnvironment } from '../../src/vault/identity.ts'

const account = { namespace: 'apps', name: 'vault', uid: 'u1' }
const nothing = { clientId: undefined, tenantId: undefined }
const client = 'azure.workload.identity/client-id'
const tenant = 'azure.workload.identity/tenant-id'
const environment: WorkloadEnvironment = {
  clientId: "the controller's client",
  tenantId: "the controller's tenant",
  tokenFile: '/token',
  proxy: {},
}

test('who a ServiceAccount is: by the spec, its annotations, and for the tenant the controller', () => {
  for (const [spec, annotations, expected] of [
    [{ clientId: 'c', tenantId: 't' }, { [client]: 'x', [tenant]: 'x' }, ['c', 't']],
    [nothing, { [client]: 'c', [tenant]: 't' }, ['c', 't']],
    [{ ...nothing, clientId: 'c' }, { [client]: 'x', [tenant]: 't' }, ['c', 't']],
    [nothing, { [client]: 'c' }, ['c', "the controller's tenant"]],
  ] as const) {
    const [clientId, tenantId] = expected
    assert.deepEqual(accountIdentity(spec, account, annotations, environment), {
      type: 'serviceAccount',
      clientId,
      tenantId,
      account,
    })
  }
})

test("an account is never the controller's client; what it lacks is named", () => {
  assert.throws(() => accountIdentity(nothing, account, {}, environment), {
    code: 'IdentityRefused',
    message:
      'ServiceAccount "vault" in namespace "apps" is given no clientId — annotate it with ' +
      'azure.workload.identity/client-id, or set spec.identity.workload.clientId',
  })
  const alone = { ...environment, tenantId: undefined }
  assert.throws(() => accountIdentity(nothing, account, { [client]: 'c' }, alone), {
    message: /is given no tenantId — annotate it with azure\.workload\.identity\/tenant-id, or set/,
  })
})
