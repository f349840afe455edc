// Every cap on outside input and every time limit of the background, in one table.

/** Version of the native API this extension speaks (host/PROTOCOL.md section 2). */
export const API_VERSION = 1;

/** A frame to the host, as JSON text. */
export const MAX_FRAME_BYTES = 64 * 1024;

/** Messages in one frame, and how long those that follow another wait for company. */
export const MAX_BATCH = 64;
export const BATCH_MS = 3;

export const MAX_SITE_LENGTH = 280;
export const MAX_PATH_LENGTH = 2048;
export const MAX_BASES = 64;
export const MAX_SEQ = Number.MAX_SAFE_INTEGER;

/** One Link header value, and the links looked at in it. */
export const MAX_LINK_HEADER = 8192;
export const MAX_LINKS = 64;

/** A file up to this length may come with the host's answer: one message in place of a request to the gateway. */
export const MAX_INLINE_BYTES = 16 * 1024;

/** Documents remembered over all tabs, those behind the back button too; the oldest go first. */
export const MAX_DOCUMENTS = 256;

/** Lines of the log of transfers that are asked for at once (the host's own cap). */
export const MAX_LOG_PAGE = 200;

/** Requests waiting for the host at one time. */
export const MAX_PENDING_REQUESTS = 4096;

/** A site worker's port: ports per site, requests at one time per port. */
export const MAX_PORTS_PER_SITE = 8;
export const MAX_LIVE_PER_PORT = 2048;

export const HELLO_TIMEOUT_MS = 5000;
export const OPEN_TIMEOUT_MS = 8000;
export const REQUEST_TIMEOUT_MS = 5000;

/** The host's own examination takes some seconds; its report. */
export const DOCTOR_TIMEOUT_MS = 60000;
export const MAX_DOCTOR_LINES = 256;
export const MAX_DOCTOR_TEXT = 512 * 1024;

/**
 * A host that has kept one request waiting gets so long to answer at all. Giving up one that is only slow, on a loaded machine,
 * costs every open page its host.
 */
export const PING_TIMEOUT_MS = 3000;

/**
 * What a page may be made to wait for a release to be opened, counted from its first byte, and for one file to be located. Who
 * waited in vain asks whether the host lives, and until that is answered nobody waits for it: a host that hangs costs a page one of
 * these, once, and pages after it nothing.
 */
export const OPEN_WAIT_MS = 1200;
export const WANT_TIMEOUT_MS = 1200;

/** A site worker's request may come before the message that says which tab its page is in. */
export const PAGE_WAIT_MS = 400;

/** Pauses between attempts to reach the host. */
export const RECONNECT_MIN_MS = 250;
export const RECONNECT_MAX_MS = 60000;

/** A host that has run for so long and ends is tried again at once. */
export const STABLE_MS = 20000;
