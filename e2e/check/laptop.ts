import assert from 'node:assert/strict'
import { join } from 'node:path'
import { at, type Json, listAt, parseJson } from '../harness/json.ts'
import { logInAz } from '../product/az.ts'
import { buildBundle } from '../product/bundle.ts'
import { runCommand } from '../product/command.ts'
import type { Scene } from '../product/scene.ts'

/** Whence a check is run. */
export interface From {
  readonly input?: string
  readonly kubeconfig?: string
  /** In place of an `az` that is logged in. */
  readonly env?: Readonly<Record<string, string>>
}

export interface Found {
  readonly code: number
  readonly result: Json | undefined
  readonly findings: readonly Json[]
}

/** Somebody with a kubeconfig and `az login`, outside the cluster. */
export class Laptop {
  readonly #scene: Scene
  /** Folder of `az`. */
  readonly #path: string
  readonly #main: string

  private constructor(scene: Scene, path: string, main: string) {
    this.#scene = scene
    this.#path = path
    this.#main = main
  }

  /** @param folder for its programs: `az`, and akv-issuer as the image has it */
  static async setUp(scene: Scene, folder: string): Promise<Laptop> {
    await logInAz(folder, scene.vault)
    const { main } = await buildBundle(join(folder, 'build'))
    return new Laptop(scene, folder, main)
  }

  /** Runs `akv-issuer check`, and gives what it printed for a terminal. */
  async check(args: readonly string[], from: From = {}) {
    const { vault, cluster } = this.#scene
    const { input = '', kubeconfig = cluster.kubeconfig, env = { PATH: this.#path } } = from
    const output = await runCommand(vault, ['check', ...args], {
      input,
      main: this.#main,
      env: { ...env, KUBECONFIG: kubeconfig },
    })
    const text = output.stdout.toString()
    assert.equal(output.stderr, '')
    assert.doesNotMatch(text, /eyJ[\w-]+\.eyJ|PRIVATE KEY/)
    return { code: output.code, text }
  }

  /** The same as a pipeline reads it. */
  async found(args: readonly string[], from?: From): Promise<Found> {
    const { code, text } = await this.check([...args, '--json'], from)
    const report = parseJson(text)
    return { code, result: at(report, 'result'), findings: listAt(report, 'findings') }
  }

  /** What differs from run to run is named; lines break as the length of that has it. */
  steady(text: string): string {
    const { vault, ca, cluster } = this.#scene
    return text
      .replace(/\n {6,}/g, ' ')
      .replaceAll(ca.key.version, 'VERSION')
      .replaceAll(vault.tenantId, 'TENANT')
      .replaceAll(vault.identity('operator').clientId, 'OPERATOR')
      .replaceAll(cluster.url, 'SERVER')
      .replace(/Kubernetes v[\d.]+/, 'Kubernetes VERSION')
      .replace(/\S+ leads/, 'REPLICA leads')
      .replace(/\d{4}-\d\d-\d\dT[\d:]+Z/g, 'TIME')
      .replace(/sha256 [0-9a-f]{16}…/, 'sha256 HASH')
  }
}

export function findingOf({ findings }: Found, probe: string): Json {
  const finding = findings.find((one) => at(one, 'probe') === probe)
  assert(finding !== undefined, JSON.stringify(findings, null, 2))
  return finding
}

/** As `caller token ok`. */
export function resultsOf({ findings }: Found): readonly string[] {
  return findings.map((one) => ['seenBy', 'probe', 'result'].map((key) => at(one, key)).join(' '))
}
