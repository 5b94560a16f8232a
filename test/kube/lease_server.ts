import { IssuerError } from '../../src/error.ts'
import { isObject, type JsonObject, objectAt, textAt } from '../../src/json.ts'
import type { KubeClient, KubeRequest } from '../../src/kube/client.ts'
import type { FakeClock } from '../fake_clock.ts'
import type { PausedMachine } from './paused_machine.ts'

/** One Lease as the API server keeps it: a write over another version than the present fails. */
export class LeaseServer {
  #lease: JsonObject | undefined
  #version = 0

  get holder(): string | undefined {
    return textAt(objectAt(this.#lease, 'spec'), 'holderIdentity')
  }

  answer(request: KubeRequest): JsonObject {
    if (request.method === 'GET') {
      if (this.#lease === undefined) throw new IssuerError('KubeNotFound', 'no lease')
      return this.#lease
    }
    const body = 'body' in request && isObject(request.body) ? request.body : {}
    const version = textAt(objectAt(this.#lease, 'metadata'), 'resourceVersion')
    const ofVersion = textAt(objectAt(body, 'metadata'), 'resourceVersion')
    if (request.method === 'POST' && this.#lease !== undefined) {
      throw new IssuerError('KubeAlreadyExists', 'there is one')
    }
    if (request.method === 'PUT' && version !== ofVersion) {
      throw new IssuerError('KubeConflict', 'another version')
    }
    const resourceVersion = String(++this.#version)
    const metadata = { ...objectAt(body, 'metadata'), uid: 'lease', resourceVersion }
    this.#lease = { ...body, metadata }
    return this.#lease
  }
}

/** The way of a machine to the server, which can be cut in either direction. */
export class Cable implements KubeClient {
  readonly server = 'memory'
  readonly namespace = undefined
  /** Nothing arrives; or it does, and the answers are lost. */
  cut: 'there' | 'back' | undefined
  /** One way. */
  latencyMs = 20
  readonly #clock: FakeClock
  readonly #machine: PausedMachine
  readonly #server: LeaseServer

  constructor(clock: FakeClock, machine: PausedMachine, server: LeaseServer) {
    this.#clock = clock
    this.#machine = machine
    this.#server = server
  }

  async request(request: KubeRequest, signal: AbortSignal): Promise<unknown> {
    try {
      await this.#clock.sleep(this.latencyMs, signal)
      if (this.cut === 'there') throw new IssuerError('KubeUnavailable', 'cut')
      const answer = this.#server.answer(request)
      await this.#clock.sleep(this.latencyMs, signal)
      if (this.cut === 'back') throw new IssuerError('KubeUnavailable', 'cut')
      return answer
    } finally {
      await this.#machine.running()
    }
  }

  watch(): never {
    throw new Error('an election watches nothing')
  }

  async close(): Promise<void> {}
}
