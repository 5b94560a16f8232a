import assert from 'node:assert/strict'
import { after, afterEach, before, describe, type TestContext, test } from 'node:test'
import type { AuditEvent } from './harness/audit.ts'
import { at, textAt } from './harness/json.ts'
import { until } from './harness/until.ts'
import { sumOf } from './product/metrics.ts'
import { assertOneAnswerEach } from './product/one_answer_each.ts'
import { countBy, isAccepted, isAnswer, reasonWritten } from './product/our_calls.ts'
import { clusterIssuers, type Scene, startScene } from './product/scene.ts'
import { type Storm, startStorm } from './product/storm.ts'
import { logLines } from './product/told.ts'

/** A proof of the issuer signs, too; there is one at the start and none before the end. */
const noReprobe = '--probe-interval=2h'
/** Some seconds on a machine of its own. */
const limitMs = 180_000

describe('many Certificates at once', () => {
  let scene: Scene
  before(async () => {
    scene = await startScene({
      audit: true,
      latencyMs: 20,
      controllerFlags: [noReprobe],
      spec: { answerUngrouped: true },
    })
  })
  after(() => scene?.stop())
  afterEach(() => scene.vault.admin('PUT', '/quota', { enabled: false }))

  const storms = [
    { name: '200 with our group', count: 200, options: {} },
    { name: '60 without a group', count: 60, options: { group: undefined } },
  ]
  for (const { name, count, options } of storms) {
    test(`${name}: one signature and one accepted write a request`, async (t) => {
      const callsBefore = await scene.signCalls()
      const storm = await startStorm(scene, { count, ...options })
      try {
        await storm.untilReady(limitMs)
      } finally {
        storm.stop()
      }
      t.diagnostic(storm.describeTimes())
      const calls = difference(await scene.signCalls(), callsBefore)
      assert.deepEqual(calls, { 200: storm.requests.size })
      const writes = await assertOneAnswerEach(scene, storm)
      tellWrites(t, writes)
      assert.deepEqual(countBy(writes.filter(isAccepted), whatWritten), {
        'certificaterequests/status Issued': storm.requests.size,
      })
    })
  }

  const throttles = [
    { name: 'bare 429s', quota: {}, afterMs: 250 },
    { name: '429s with Retry-After', quota: { retryAfterSeconds: 2 }, afterMs: 2_000 },
  ]
  for (const { name, quota, afterMs } of throttles) {
    test(`a vault that answers ${name}: all Ready in the end`, async (t) => {
      const count = 60
      await suspend(true)
      const storm = await startStorm(scene, { count })
      await until('all requests approved', () => storm.isApproved, limitMs)
      const waiting = (labels = {}) =>
        sumOf(scene.controller, 'akv_issuer_waiting_requests', labels)
      const held = () => waiting({ reason: 'IssuerSuspended' })
      const throttled = () => waiting({ reason: 'VaultThrottled' })
      const retrying = () =>
        sumOf(scene.controller, 'akv_issuer_queue_keys', { queue: 'requests', state: 'retrying' })
      await until('all wait', async () => (await held()) === storm.requests.size, limitMs)
      // An EC key signs 4,000 times in 10 s; of that, half of what is let loose at once.
      await scene.vault.admin('PUT', '/quota', { enabled: true, share: 0.0075, ...quota })
      const callsBefore = await scene.signCalls()
      await suspend(false)
      try {
        await until('some wait for the vault', async () => (await throttled()) > 0)
        await until('some wait for their next try', async () => (await retrying()) > 0)
        await storm.untilReady(limitMs)
      } finally {
        storm.stop()
      }
      t.diagnostic(storm.describeTimes())
      await until('none waits', async () => (await waiting()) + (await retrying()) === 0)
      const calls = difference(await scene.signCalls(), callsBefore)
      t.diagnostic(`sign calls by status: ${JSON.stringify(calls)}`)
      const proofs = 1
      assert.equal(calls[200], storm.requests.size + proofs, 'signatures')
      assert.ok((calls[429] ?? 0) > 0, 'the vault throttled')
      assert.ok((calls[429] ?? 0) <= 5 * count, 'the calls that a throttled vault gets are bounded')
      assert.deepEqual(triesSoonerThan(afterMs, storm), [], 'tries that came sooner than asked')
      tellWrites(t, await assertOneAnswerEach(scene, storm))
    })
  }

  async function suspend(value: boolean): Promise<void> {
    const path = `${clusterIssuers}/akv-issuer` as const
    await scene.cluster.must('PATCH', path, { spec: { suspend: value } })
    if (value) await scene.ready(path, 'False', 'IssuerSuspended')
  }

  /** Pairs of tries to sign for one request with less than `ms` between them. */
  function triesSoonerThan(ms: number, { namespace }: Storm): readonly string[] {
    const last = new Map<string, number>()
    return logLines(scene.controller)
      .filter((line) => at(line, 'message') === 'signing' && at(line, 'namespace') === namespace)
      .flatMap((line) => {
        const request = textAt(line, 'request')
        const time = Date.parse(textAt(line, 'time'))
        const gap = time - (last.get(request) ?? -Infinity)
        last.set(request, time)
        return gap < ms ? [`${request}: again after ${gap} ms`] : []
      })
  }
})

function tellWrites(t: TestContext, writes: readonly AuditEvent[]): void {
  const byCode = countBy(writes, (event) => `${event.code} ${whatWritten(event)}`)
  t.diagnostic(`writes of ours: ${JSON.stringify(byCode)}`)
}

function whatWritten(event: AuditEvent): string {
  const { resource, subresource } = event
  return isAnswer(event) ? `${resource}/${subresource} ${reasonWritten(event)}` : resource
}

function difference(
  now: ReadonlyMap<string, number>,
  earlier: ReadonlyMap<string, number>,
): Readonly<Record<string, number>> {
  return Object.fromEntries([...now].map(([key, count]) => [key, count - (earlier.get(key) ?? 0)]))
}
