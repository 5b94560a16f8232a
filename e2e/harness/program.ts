import { spawn } from 'node:child_process'

export interface ProgramResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface ProgramSetting {
  readonly program: string
  readonly kubeconfig: string
  /** Holds its caches. */
  readonly home: string
}

/** Runs a program against a cluster, to its end, with nothing of the user's environment but PATH. */
export function runProgram(
  setting: ProgramSetting,
  args: readonly string[],
  input = '',
): Promise<ProgramResult> {
  const child = spawn(setting.program, args, {
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
