window.demoClassicSri = true;
