importScripts('classic-part.js');

self.onmessage = event => self.postMessage(self.addOne(event.data));
