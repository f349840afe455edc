window.demoClassicSriCors = true;
