import { spawn } from 'node:child_process'

export interface KubectlOptions {
  /** Standard input, for `-f -`. */
  readonly input?: string
  /** Impersonate this user. */
  readonly as?: string
}

export interface KubectlResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs kubectl with nothing of the user's environment but PATH; `home` holds its caches. */
export function runKubectl(
  setting: { readonly program: string; readonly kubeconfig: string; readonly home: string },
  args: readonly string[],
  { input = '', as }: KubectlOptions = {},
): Promise<KubectlResult> {
  const child = spawn(setting.program, as === undefined ? args : [`--as=${as}`, ...args], {
    env: { PATH: process.env.PATH, HOME: setting.home, KUBECONFIG: setting.kubeconfig },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
  })
  // It may end without reading its input.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }))
  })
}
