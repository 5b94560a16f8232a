import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { IssuerError } from '../../src/error.ts'
import { isObject, objectAt, textAt } from '../../src/json.ts'
import type { KubeClient, KubeRequest } from '../../src/kube/client.ts'
import { EventRecorder, type KubeEvent } from '../../src/kube/events.ts'
import { silentLog } from '../../src/log.ts'
import type { Random } from '../../src/random.ts'
import { FakeClock } from '../fake_clock.ts'

const trouble = ['none', 'refused', 'answer lost'] as const
type Trouble = (typeof trouble)[number]

/** Keeps events by name, as the API server does, and is in trouble when told to be. */
class EventServer implements KubeClient {
  readonly server = 'memory'
  readonly namespace = undefined
  /** Notes of what was created, by object. */
  readonly created: Array<{ uid: string | undefined; note: string | undefined }> = []
  patched = 0
  readonly #names = new Set<string>()
  readonly #troubles: Trouble[]

  constructor(troubles: readonly Trouble[]) {
    this.#troubles = [...troubles]
  }

  async request(request: KubeRequest): Promise<unknown> {
    const next = this.#troubles.shift() ?? 'none'
    if (next === 'refused') throw new IssuerError('KubeUnavailable', 'refused')
    const body = 'body' in request && isObject(request.body) ? request.body : {}
    if (request.method === 'PATCH') this.patched++
    else this.#create(textAt(objectAt(body, 'metadata'), 'name') ?? '', body)
    if (next === 'answer lost') throw new IssuerError('KubeUnavailable', 'answer lost')
    return body
  }

  watch(): never {
    throw new Error('a recorder watches nothing')
  }

  async close(): Promise<void> {}

  #create(name: string, body: Readonly<Record<string, unknown>>): void {
    if (this.#names.has(name)) throw new IssuerError('KubeAlreadyExists', name)
    this.#names.add(name)
    const regarding = isObject(body.regarding) ? body.regarding : undefined
    this.created.push({ uid: textAt(regarding, 'uid'), note: textAt(body, 'note') })
  }
}

const random: Random = { bytes: (length) => new Uint8Array(length), fraction: () => 0.5 }
const objects = ['uid-0', 'uid-1', 'uid-2']
const notes = ['waits for the vault', 'refused by policy', 'the vault is throttled']

function eventOf(object: number, outcome: number): KubeEvent {
  const uid = objects[object] ?? ''
  const regarding = { apiVersion: 'v1', kind: 'Secret', namespace: 'shop', name: uid, uid }
  return { regarding, type: 'Warning', reason: 'Waiting', note: notes[outcome] ?? '' }
}

const happening = fc.record({
  object: fc.nat(objects.length - 1),
  outcome: fc.nat(notes.length - 1),
  retries: fc.nat(5),
  thenMs: fc.nat(60_000),
  process: fc.nat(1),
})

test('any outcomes, retries, restarts and troubles: one event an outcome, none a retry', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(happening, { maxLength: 15 }),
      fc.array(fc.constantFrom(...trouble), { maxLength: 20 }),
      async (happenings, troubles) => {
        const clock = new FakeClock()
        const client = new EventServer(troubles)
        const seams = { client, clock, random, log: silentLog }
        const reporter = { reportingController: 'test.example/akv', reportingInstance: 'test' }
        const recorders = [0, 1].map(() => new EventRecorder({ ...reporter, ...seams }))
        const expected = new Set<string>()
        const record = ({ object, outcome, process }: (typeof happenings)[number]) => {
          expected.add(JSON.stringify([objects[object], notes[outcome]]))
          recorders[process]?.record(eventOf(object, outcome))
        }
        for (const each of happenings) {
          for (let times = 0; times <= each.retries; times++) {
            record(each)
            await clock.advance(each.thenMs / 6)
          }
        }
        await clock.advance(60_000)
        // What was given up in lasting trouble is said when it occurs again.
        for (const each of happenings) record(each)
        await clock.advance(60_000)

        const created = client.created.map(({ uid, note }) => JSON.stringify([uid, note]))
        assert.deepEqual(created.sort(), [...expected].sort())
        assert.equal(client.patched, 0, 'within half an hour nothing is written again')
      },
    ),
    { numRuns: 100 },
  )
})
