window.demoClassic = document.currentScript.src;
