import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { issuerErrorFrom } from '../../src/error.ts'
import { LeaseElection } from '../../src/kube/lease.ts'
import { silentLog } from '../../src/log.ts'
import type { Random } from '../../src/random.ts'
import { FakeClock } from '../fake_clock.ts'
import { Cable, LeaseServer } from './lease_server.ts'
import { PausedMachine } from './paused_machine.ts'

/** A replica that is started again whenever its process ends, as by a kubelet. */
class Replica {
  readonly machine: PausedMachine
  readonly cable: Cable
  election: LeaseElection
  #stop = new AbortController()
  readonly #next: () => LeaseElection

  constructor(world: FakeClock, server: LeaseServer, index: number) {
    this.machine = new PausedMachine(world, (index - 1) * 600_000)
    this.cable = new Cable(world, this.machine, server)
    let lives = 0
    const random: Random = {
      bytes: (length) => new Uint8Array(length),
      fraction: () => (index + 1) / 4,
    }
    this.#next = () =>
      new LeaseElection({
        client: this.cable,
        namespace: 'default',
        name: 'akv-issuer',
        identity: `${index}.${lives++}`,
        clock: this.machine,
        uptime: () => this.machine.uptime(),
        random,
        log: silentLog,
      })
    this.election = this.#next()
    void this.#live()
  }

  get holds(): boolean {
    try {
      this.election.assertHeld()
      return true
    } catch (thrown) {
      assert.equal(issuerErrorFrom(thrown).code, 'LeaseLost')
      return false
    }
  }

  /** As by SIGTERM. */
  terminate(): void {
    this.#stop.abort()
  }

  async #live(): Promise<void> {
    const never = new AbortController().signal
    for (;;) {
      await this.election
        .run(this.#stop.signal, (signal) => this.machine.sleep(2 ** 40, signal))
        .catch(() => undefined)
      this.#stop = new AbortController()
      this.election = this.#next()
      await this.machine.sleep(500, never)
    }
  }
}

type Command = (replica: Replica) => void

const commands: Readonly<Record<string, Command>> = {
  SIGSTOP: ({ machine }) => machine.pause(false),
  suspend: ({ machine }) => machine.pause(true),
  resume: ({ machine }) => machine.resume(),
  cut: ({ cable }) => {
    cable.cut = 'there'
  },
  'lose answers': ({ cable }) => {
    cable.cut = 'back'
  },
  slow: ({ cable }) => {
    cable.latencyMs = 1_500
  },
  mend: ({ cable }) => mend(cable),
  SIGTERM: (replica) => replica.terminate(),
}

function mend(cable: Cable): void {
  cable.cut = undefined
  cable.latencyMs = 20
}

const step = fc.record({
  replica: fc.nat(2),
  command: fc.constantFrom(...Object.keys(commands)),
  thenMs: fc.oneof(fc.nat(500), fc.nat(5_000), fc.nat(30_000)),
})

test('whatever is stopped, cut or ended: never two hold the lease, and in the end one does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const world = new FakeClock()
      const server = new LeaseServer()
      const replicas = [0, 1, 2].map((index) => new Replica(world, server, index))
      const pass = async (ms: number) => {
        for (let left = ms; left > 0; left -= 250) {
          await world.advance(Math.min(left, 250))
          const holders = replicas.filter(({ holds }) => holds)
          assert.ok(holders.length <= 1, `${holders.length} hold it`)
        }
      }
      await pass(3_000)
      for (const { replica, command, thenMs } of steps) {
        const chosen = replicas[replica]
        if (chosen) commands[command]?.(chosen)
        await pass(thenMs)
      }
      for (const { machine, cable } of replicas) {
        machine.resume()
        mend(cable)
      }
      await pass(30_000)
      assert.equal(replicas.filter(({ holds }) => holds).length, 1)
    }),
    { numRuns: 40 },
  )
})

test('a machine that was suspended: nothing passes, though its monotonic clock says nothing', async () => {
  const world = new FakeClock()
  const replica = new Replica(world, new LeaseServer(), 1)
  await world.advance(5_000)
  assert.ok(replica.holds)
  replica.machine.pause(true)
  const before = replica.machine.monotonic()
  await world.advance(20_000)
  assert.ok(!replica.holds)
  replica.machine.resume()
  assert.ok(!replica.holds)
  assert.equal(replica.machine.monotonic(), before)
})
