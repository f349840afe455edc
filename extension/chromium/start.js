// The Chromium half: site workers ask for files over direct message ports.
export function startChromium() {}
