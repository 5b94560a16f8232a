import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IssuerError } from '../../src/error.ts'
import { callOf } from '../../src/kube/call.ts'
import {
  failureFromAnswer,
  failureFromStatus,
  failureFromThrown,
  isTooLarge,
  stoppedBy,
} from '../../src/kube/failure.ts'

const call = callOf('PUT', '/api/v1/namespaces/shop/secrets/web')

function status(code: number, reason: string, message: string, details?: object): string {
  return JSON.stringify({
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    code,
    reason,
    message,
    details,
  })
}

const answers: ReadonlyArray<{
  name: string
  httpStatus: number
  retryAfter?: string
  body: string
  is: [code: string, retryAfterMs: number | undefined, message: string]
}> = [
  {
    name: 'a conflict',
    httpStatus: 409,
    body: status(409, 'Conflict', 'the object has been modified'),
    is: ['KubeConflict', undefined, '409 Conflict: the object has been modified'],
  },
  {
    name: 'a name already taken, which has the same HTTP status',
    httpStatus: 409,
    body: status(409, 'AlreadyExists', 'secrets "web" already exists'),
    is: ['KubeAlreadyExists', undefined, '409 AlreadyExists: secrets "web" already exists'],
  },
  {
    name: 'an expired resource version',
    httpStatus: 410,
    body: status(410, 'Expired', 'too old resource version: 1 (2)'),
    is: ['KubeExpired', undefined, '410 Expired: too old resource version: 1 (2)'],
  },
  {
    name: 'no credentials',
    httpStatus: 401,
    body: status(401, 'Unauthorized', 'Unauthorized'),
    is: ['KubeUnauthorized', undefined, '401 Unauthorized: Unauthorized'],
  },
  {
    name: 'no rights',
    httpStatus: 403,
    body: status(403, 'Forbidden', 'User "x" cannot update resource "secrets"'),
    is: ['KubeForbidden', undefined, '403 Forbidden: User "x" cannot update resource "secrets"'],
  },
  {
    name: 'an object the server refuses',
    httpStatus: 422,
    body: status(422, 'Invalid', 'data[a b]: Invalid value'),
    is: ['KubeInvalid', undefined, '422 Invalid: data[a b]: Invalid value'],
  },
  {
    name: 'too many requests, the wait in the header',
    httpStatus: 429,
    retryAfter: '3',
    body: 'Too many requests, please try again later.\n',
    is: ['KubeThrottled', 3000, '429: Too many requests, please try again later.'],
  },
  {
    name: 'a timeout, the wait in the body',
    httpStatus: 504,
    body: status(504, 'Timeout', 'Too large resource version', { retryAfterSeconds: 1 }),
    is: ['KubeUnavailable', 1000, '504 Timeout: Too large resource version'],
  },
  {
    name: 'a page of a proxy',
    httpStatus: 502,
    retryAfter: 'Wed, 21 Oct 2026 07:28:00 GMT',
    body: '<html>bad gateway</html>',
    is: ['KubeUnavailable', undefined, '502: <html>bad gateway</html>'],
  },
  { name: 'nothing', httpStatus: 500, body: '', is: ['KubeUnavailable', undefined, '500'] },
]
for (const { name, httpStatus, retryAfter, body, is } of answers) {
  test(`an answer with ${name}`, () => {
    const { code, retryAfterMs, message } = failureFromAnswer(call, httpStatus, retryAfter, body)
    const prefix = 'update secrets "web" in namespace "shop" failed: '
    assert.deepEqual([code, retryAfterMs, message], [is[0], is[1], prefix + is[2]])
  })
}

test('an ERROR event of a watch goes by the code of its Status', () => {
  const error = failureFromStatus(callOf('WATCH', '/api/v1/secrets'), {
    code: 410,
    reason: 'Expired',
    message: 'too old',
  })
  assert.deepEqual(
    [error.code, error.message],
    ['KubeExpired', 'watch secrets failed: 410 Expired: too old'],
  )
})

test('no connection says where to and why', () => {
  const cause = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), {
    code: 'ECONNREFUSED',
  })
  const error = failureFromThrown(call, 'https://127.0.0.1:1', cause)
  assert.deepEqual(
    [error.code, error.message, error.cause],
    [
      'KubeUnavailable',
      'update secrets "web" in namespace "shop" got no answer from https://127.0.0.1:1: ' +
        'connect ECONNREFUSED 127.0.0.1:1; nothing listens there',
      cause,
    ],
  )
})

test('an answer that is too large is told apart', () => {
  const cause = Object.assign(new Error('too large'), { code: 'UND_ERR_RES_EXCEEDED_MAX_SIZE' })
  assert.equal(isTooLarge(failureFromThrown(call, 'https://a', cause)), true)
  assert.equal(isTooLarge(failureFromThrown(call, 'https://a', new Error('other'))), false)
})

test('a stop keeps the reason that was given for it', () => {
  const lost = new IssuerError('LeaseLost', 'gone')
  assert.equal(stoppedBy(AbortSignal.abort(lost)), lost)
  assert.equal(stoppedBy(AbortSignal.abort()).code, 'Aborted')
})
