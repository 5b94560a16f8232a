/** An issuer that cannot work. */
export interface Case {
  /** Of the issuer. */
  readonly name: string
  /** Laid over the spec of one that can. */
  readonly spec: object
  /** What its Ready condition says, word for word. */
  readonly reason: string
  readonly message: string
  /** Takes the cause away. */
  readonly mend?: (() => Promise<unknown>) | undefined
}
