// Caps and time limits of the Firefox half, in one table. What both browsers share stands in common/limits.js.

/** How long a page's request is held at most for the first bytes, and for the rest of a file before the bytes at hand are let go. */
export const FIRST_BYTE_MS = 1500;
export const HOLD_MS = 4000;

/**
 * Requests that ask the host where a file is, and that read from its gateway, at one time; how long the others wait for their turn.
 * The host starts on a file when it is asked, so many may ask; a browser has but six connections for the gateway.
 */
export const MAX_ASKING = 256;
export const MAX_READING = 6;
export const QUEUE_MS = 4000;

/** A gateway or origin that sends nothing for so long in the middle of a file is given up. */
export const STALL_MS = 2500;

/**
 * A file up to this length is complete before its response is touched, so that a host that fails on the way costs the page
 * nothing. For "plain" requests it is higher: the origin's own answer runs until ours is complete, and a browser takes up to
 * 12 MiB of it (the HTTP/2 window), so that a shorter hold would cost the origin the file.
 */
export const HOLD_TINY_BYTES = 1 << 20;
export const HOLD_PLAIN_BYTES = 16 << 20;

/** Bytes held for all requests at one time; a request beyond it streams. */
export const HOLD_TOTAL_BYTES = 64 << 20;

/** Requests held or streaming at one time; a request beyond it goes to the origin. */
export const MAX_EXCHANGES = 1024;

/** A media element asks for "the rest"; so much of it is given at a time, and what it does not play is never fetched. */
export const MEDIA_PART_BYTES = 4 << 20;

/** What the tiny request asks for: enough for a media type to be told from its first bytes. */
export const TINY_BYTES = 1;
export const TINY_MEDIA_BYTES = 512;

/** When the origin continues a file, so much before the break is fetched again and compared. */
export const OVERLAP_BYTES = 64 << 10;

/** The origin's bytes on the wire before a plain answer is cut short. An estimate: the browser does not tell. */
export const PLAIN_COST_BYTES = 64 << 10;
