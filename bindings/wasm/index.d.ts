/** Bytes of a file, or its text. */
export type Content = Uint8Array | ArrayBuffer | ArrayBufferView | string;

/** Numbers in nested lists, or flat in C order. */
export type Values = number | ArrayLike<number> | readonly Values[];

/** The only tensor, tensors by name, or EZKL's file. */
export type Tensors = Values | Readonly<Record<string, Values>>;

/** A whole number of 64 bits; beyond 2^53 as a BigInt or in decimal digits. */
export type Whole = number | bigint | string;

/** What is expected of a proof. What is not said is taken from the proof: say what matters. */
export interface Expected {
  /** Hexadecimal digest that the key must have. */
  keyDigest?: string;
  /** Hexadecimal digest of the ONNX file that the key must name. */
  modelDigest?: string;
  input?: Tensors;
  inputCommitment?: string;
  output?: Tensors;
  outputCommitment?: string;
  /** What opens the claim's commitments: the bytes of a `.zkopening`. */
  opening?: Content;
  chain?: Whole;
  /** 32 bytes in hexadecimal digits. */
  job?: string;
  /** 20 bytes in hexadecimal digits. */
  payee?: string;
  expiry?: Whole;
  nonce?: Whole;
  /** Unix time at which the proof must not have expired. */
  validAt?: Whole;
  /** Accept the development setup, under which anybody can forge. */
  allowInsecureSrs?: boolean;
  /** Accept the setup of this digest. */
  allowSrs?: string;
}

/** One side of a claim. */
export interface Side {
  /** Whether it was compared with what was expected; if not, the prover chose it. */
  compared: boolean;
  commitment: string | null;
  /** The real numbers, where they are public or opened. */
  tensors: { name: string; shape: number[]; values: number[]; classes?: (string | null)[] }[] | null;
}

/** What a check found about a claim. */
export interface Checked {
  /** Why the proof is refused. */
  reason: string | null;
  /** The checks that refused, in words that never change. */
  codes: string[];
  /** The label that the key's maker gave it. */
  modelName: string | null;
  /** Digest of the ONNX file that the key names: the word of its maker. */
  modelDigest: string;
  keyDigest: string;
  accuracyDigest: string | null;
  input: Side;
  output: Side;
  /** The place of the claim, counted from 0, where the proof is about several; all of them have the root. */
  leaf: { index: number; claims: number; root: string | null } | null;
  job: {
    isNone: boolean;
    chain: string;
    job: string;
    /** `null` for a proof that pays nobody. */
    payee: string | null;
    expiry: string;
    /** The expiry as a date; `null` for a proof that does not expire. */
    expires: string | null;
    nonce: string;
  };
  setup: { name: string; kind: "ceremony" | "insecureDevelopment" | "unknown"; digest: string };
  /** Estimates in bits: who spends less than about 2^bits operations forges nothing. */
  strength: {
    bits: number;
    curve_bits: number;
    hash_bits: number;
    commitment_bits?: number;
    random_points_bits: number;
    rows: number;
    degree: number;
    public_values: number;
    queries: number;
  };
  proofBytes: number;
}

/** What a check found: a verdict, or what cannot be used. */
export type Report =
  | ({ verdict: "accepted" } & Checked)
  | ({ verdict: "rejected" } & Checked)
  | { verdict: "unusable"; file: "key" | "proof" | "expected" | "opening"; reason: string };

/** What was asked for does not make sense; proofs that are refused are no errors. */
export class UsageError extends Error {}

/** Most bytes of a file that is read. */
export const LARGEST_FILE: number;

/** A verifier that is loaded: checks need no further waiting. */
export class Verifier {
  /** Compiles the bytes of the module. */
  static of(bytes: BufferSource): Promise<Verifier>;
  verify(key: Content, proof: Content, expected?: Expected): Report;
}

/** Loads the verifier from beside the package, or from the bytes of the module. */
export function load(bytes?: BufferSource): Promise<Verifier>;

/** Checks a proof against a key and what is expected of it; `null` expects nothing. */
export function verify(key: Content, expected: Expected | null, proof: Content): Promise<Report>;
