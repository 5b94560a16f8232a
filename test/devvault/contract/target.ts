import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { DefaultAzureCredential, type TokenCredential } from '@azure/identity'
import type { DevVault } from '../../../src/devvault/dev_vault.ts'
import { credentialOf, type RawAnswer, startHere } from '../here.ts'

/** A real vault when AZURE_VAULT_URL names one, otherwise a dev vault of the test's own. */
const realUrl = process.env.AZURE_VAULT_URL?.replace(/\/$/, '')

/** For tests that steer time, luck or identities. */
export const devOnly = {
  skip: realUrl === undefined ? false : 'needs the admin API of the dev vault',
}

export const apiVersion = '2025-07-01'

export class Target {
  readonly url: string
  readonly credential: TokenCredential
  readonly #dev: DevVault | undefined
  readonly #dir = mkdtempSync(join(tmpdir(), 'akv-contract-'))
  readonly #prefix = `contract-${randomBytes(4).toString('hex')}`
  readonly #made = new Set<string>()

  private constructor(url: string, credential: TokenCredential, dev?: DevVault) {
    this.url = url
    this.credential = credential
    this.#dev = dev
  }

  static async start(): Promise<Target> {
    if (realUrl !== undefined) return new Target(realUrl, new DefaultAzureCredential())
    const dev = await startHere()
    return new Target(`https://${dev.info.vaultHost}`, credentialOf(dev), dev)
  }

  /** The dev vault itself; only in tests marked `devOnly`. */
  get dev(): DevVault {
    if (this.#dev === undefined) throw new Error('this test is for the dev vault alone')
    return this.#dev
  }

  get isReal(): boolean {
    return this.#dev === undefined
  }

  /** How often to ask for the end of an operation, in milliseconds. */
  get poll(): { readonly intervalInMs: number } {
    return { intervalInMs: this.isReal ? 2000 : 100 }
  }

  /** A name nobody else uses; what has it goes at the end. `area` is `keys` and so on. */
  name(area: 'keys' | 'secrets' | 'certificates', what: string): string {
    const name = `${this.#prefix}-${what}`
    this.#made.add(`${area}/${name}`)
    return name
  }

  /** Keeps what is pending pending: a real issuer takes some seconds anyway. */
  hold(): void {
    this.#dev?.control.behaviour.set({ creationMs: heldMs })
  }

  /** Lets it come to its end. */
  async release(name: string): Promise<void> {
    const { control } = this.#dev ?? {}
    control?.clock.advance(control.behaviour.settings.creationMs)
    control?.behaviour.set({})
    for (;;) {
      const { body } = await this.call('GET', `/certificates/${name}/pending`)
      if (!JSON.stringify(body).includes('"inProgress"')) return
      await delay(this.poll.intervalInMs)
    }
  }

  /** A request without any SDK; `token: ''` sends none. */
  async call(
    method: string,
    path: string,
    body?: unknown,
    options: { readonly token?: string; readonly version?: string } = {},
  ): Promise<RawAnswer> {
    const token = options.token ?? (await this.credential.getToken(scope))?.token ?? ''
    const separator = path.includes('?') ? '&' : '?'
    const { version = apiVersion } = options
    const response = await fetch(`${this.url}${path}${separator}api-version=${version}`, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(token !== '' && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: text === '' ? undefined : JSON.parse(text),
    }
  }

  /** OpenSSL's view of things, in a directory of this test. */
  openssl(...args: readonly string[]): string {
    return execFileSync('openssl', args, {
      cwd: this.#dir,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }

  write(file: string, content: string | Uint8Array): void {
    writeFileSync(join(this.#dir, file), content)
  }

  read(file: string): Buffer {
    return readFileSync(join(this.#dir, file))
  }

  path(file: string): string {
    return join(this.#dir, file)
  }

  async stop(): Promise<void> {
    rmSync(this.#dir, { recursive: true })
    await this.#dev?.stop()
    if (!this.isReal) return
    // The name stays taken until the vault's retention ends, or somebody purges it.
    for (const path of this.#made) await this.call('DELETE', `/${path}`)
  }
}

/** Well below the ten minutes by which certificates are dated back. */
const heldMs = 60_000

const scope = 'https://vault.azure.net/.default'

/** The smallest policy that costs no RSA key. */
export function policyOf(issuer: 'Self' | 'Unknown', more: object = {}): object {
  return {
    key_props: { kty: 'EC', crv: 'P-256' },
    x509_props: { subject: 'CN=contract.example.com' },
    issuer: { name: issuer },
    ...more,
  }
}
